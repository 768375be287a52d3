//! How sections are declared, and the walk over what they declare.
//!
//! Owns: the two macros, and the [`Visitor`] that loading and the generated example are written as. Does not own
//! any key.
//!
//! Why not serde's derive alone: it stops at the first mistake, loses doc comments and defaults, and leaves the names
//! of environment variables to guessing. One declaration that can be walked gives all of them.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a declaration says of a section or key beside its value.
#[derive(Clone, Copy)]
pub(crate) struct Declared {
    pub name: &'static str,
    /// The lines of the doc comment.
    pub doc: &'static [&'static str],
}

/// Sees every section and key in the order of their declaration.
pub(crate) trait Visitor {
    fn section(&mut self, declared: Declared, section: &mut impl Section);
    fn value<T: Setting>(&mut self, declared: Declared, value: &mut T);
}

/// Something with keys; implemented by [`section`].
pub(crate) trait Section {
    fn visit(&mut self, visitor: &mut impl Visitor);
}

/// A type that a key can have.
pub(crate) trait Setting: Serialize + DeserializeOwned {
    /// For secrets: makes the value from the content of the file that `<key>_file` names.
    const FROM_FILE: Option<fn(String) -> Self> = None;
}

/// Declares one section: a struct whose doc comments are the documentation and whose fields carry their defaults.
macro_rules! section {
    (
        $(#[doc = $doc:literal])*
        pub struct $Section:ident {
            $($(#[doc = $field_doc:literal])* pub $field:ident: $Type:ty = $default:expr,)*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $Section { $($(#[doc = $field_doc])* pub $field: $Type,)* }

        impl Default for $Section {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $crate::schema::Section for $Section {
            fn visit(&mut self, visitor: &mut impl $crate::schema::Visitor) {
                $(visitor.value(
                    $crate::schema::Declared { name: stringify!($field), doc: &[$($field_doc),*] },
                    &mut self.$field,
                );)*
            }
        }
    };
}

/// Declares the whole: the same for a struct whose fields are sections.
macro_rules! config {
    (
        $(#[doc = $doc:literal])*
        pub struct $Config:ident {
            $($(#[doc = $field_doc:literal])* pub $field:ident: $Type:ty = $default:expr,)*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $Config { $($(#[doc = $field_doc])* pub $field: $Type,)* }

        impl Default for $Config {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $Config {
            fn visit(&mut self, visitor: &mut impl $crate::schema::Visitor) {
                $(visitor.section(
                    $crate::schema::Declared { name: stringify!($field), doc: &[$($field_doc),*] },
                    &mut self.$field,
                );)*
            }
        }
    };
}

pub(crate) use {config, section};
