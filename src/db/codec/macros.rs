//! Declarations that write a [`Codec`](super::Codec) by themselves: rows with a version, tags, choices, and numbers with a type of their own.

/// A persisted row: a struct whose encoding begins with its version.
///
/// ```
/// plop_db::record! {
///     /// As released first.
///     pub struct MemberRowV1 = 1 { pub name: String }
/// }
/// plop_db::record! {
///     /// What a member of a room looks like.
///     pub struct MemberRow = 2 from MemberRowV1 { pub name: String, pub active: bool }
/// }
/// impl From<MemberRowV1> for MemberRow {
///     fn from(old: MemberRowV1) -> Self {
///         MemberRow { name: old.name, active: true }
///     }
/// }
/// let old = plop_db::codec::encode(&MemberRowV1 { name: "a".to_owned() });
/// assert!(plop_db::codec::decode::<MemberRow>(&old).is_ok_and(|row| row.active));
/// ```
///
/// `= N` is the version. `from Older` says which type reads the version before, itself a record; `From<Older>` is written by hand.
/// A new field, type or meaning is a new version. `Debug`, `Clone`, `PartialEq` and `Eq` are derived.
#[macro_export]
macro_rules! record {
    ($(#[$attribute:meta])* $visibility:vis struct $name:ident = $version:literal $(from $older:ty)? {
        $($(#[$field_attribute:meta])* $field_visibility:vis $field:ident: $type:ty),* $(,)?
    }) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        $visibility struct $name {
            $($(#[$field_attribute])* $field_visibility $field: $type,)*
        }

        impl $crate::codec::Codec for $name {
            fn encode(&self, out: &mut $crate::codec::Encoder) {
                out.byte($version);
                $($crate::codec::Codec::encode(&self.$field, out);)*
            }

            fn decode(input: &mut $crate::codec::Decoder<'_>) -> Result<Self, $crate::codec::CodecError> {
                $(
                    if input.peek() != Some($version) {
                        return <$older as $crate::codec::Codec>::decode(input).map(Self::from);
                    }
                )?
                match input.byte()? {
                    $version => {}
                    version => {
                        return Err($crate::codec::CodecError::UnknownVersion { record: stringify!($name), version });
                    }
                }
                $(let $field = $crate::codec::Codec::decode(input)?;)*
                Ok(Self { $($field),* })
            }
        }
    };
}

/// A persisted choice without fields: each variant has a permanent number.
///
/// ```
/// plop_db::tags! {
///     /// How a user stands to a room.
///     pub enum Membership { Join = 1, Leave = 2 }
/// }
/// assert_eq!(plop_db::codec::decode::<Membership>(&[2]), Ok(Membership::Leave));
/// ```
#[macro_export]
macro_rules! tags {
    ($(#[$attribute:meta])* $visibility:vis enum $name:ident {
        $($(#[$variant_attribute:meta])* $variant:ident = $tag:literal),+ $(,)?
    }) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $visibility enum $name {
            $($(#[$variant_attribute])* $variant = $tag),+
        }

        impl $crate::codec::Codec for $name {
            fn encode(&self, out: &mut $crate::codec::Encoder) {
                out.byte(*self as u8);
            }

            fn decode(input: &mut $crate::codec::Decoder<'_>) -> Result<Self, $crate::codec::CodecError> {
                match input.byte()? {
                    $($tag => Ok(Self::$variant),)+
                    _ => Err($crate::codec::CodecError::Invalid(stringify!($name))),
                }
            }
        }
    };
}

/// A persisted choice: each variant has a permanent number, and may have fields.
///
/// ```
/// plop_db::choice! {
///     /// What became of a request.
///     pub enum End { Granted { name: String } = 1, Refused = 2 }
/// }
/// let granted = End::Granted { name: "a".to_owned() };
/// assert_eq!(plop_db::codec::decode(&plop_db::codec::encode(&granted)), Ok(granted));
/// ```
///
/// `Debug`, `Clone`, `PartialEq` and `Eq` are derived.
#[macro_export]
macro_rules! choice {
    ($(#[$attribute:meta])* $visibility:vis enum $name:ident {
        $($(#[$variant_attribute:meta])* $variant:ident $({
            $($(#[$field_attribute:meta])* $field:ident: $type:ty),+ $(,)?
        })? = $tag:literal),+ $(,)?
    }) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        $visibility enum $name {
            $($(#[$variant_attribute])* $variant $({ $($(#[$field_attribute])* $field: $type),+ })?),+
        }

        impl $crate::codec::Codec for $name {
            fn encode(&self, out: &mut $crate::codec::Encoder) {
                match self {
                    $(Self::$variant $({ $($field),+ })? => {
                        out.byte($tag);
                        $($($crate::codec::Codec::encode($field, out);)+)?
                    })+
                }
            }

            fn decode(input: &mut $crate::codec::Decoder<'_>) -> Result<Self, $crate::codec::CodecError> {
                match input.byte()? {
                    $($tag => Ok(Self::$variant $({ $($field: $crate::codec::Codec::decode(input)?),+ })?),)+
                    _ => Err($crate::codec::CodecError::Invalid(stringify!($name))),
                }
            }
        }
    };
}

/// Types of their own around one encodable value, encoded like it: `transparent! { RoomNumber, EventNumber }` for tuple structs of one field.
#[macro_export]
macro_rules! transparent {
    ($($name:ident),+ $(,)?) => {$(
        impl $crate::codec::Codec for $name {
            fn encode(&self, out: &mut $crate::codec::Encoder) {
                $crate::codec::Codec::encode(&self.0, out);
            }

            fn decode(input: &mut $crate::codec::Decoder<'_>) -> Result<Self, $crate::codec::CodecError> {
                $crate::codec::Codec::decode(input).map($name)
            }
        }
    )+};
}
