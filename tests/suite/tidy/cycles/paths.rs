//! Paths in the text of a module, and the modules that they name.

/// `src/db/codec/ids.rs` is `codec::ids` of the crate whose folder is `src/db`.
pub fn module_of(path: &str, base: &str) -> String {
    let inner = path.strip_prefix(base).unwrap().trim_start_matches('/');
    let inner = inner.strip_suffix("/mod.rs").or_else(|| inner.strip_suffix(".rs")).unwrap();
    if matches!(inner, "lib" | "main") { String::new() } else { inner.replace('/', "::") }
}

/// Every path from `crate` or `super` on, with the groups of `use` taken apart.
pub fn paths_in(text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for root in ["crate::", "super::"] {
        for (start, _) in text.match_indices(root) {
            let inside =
                text[..start].chars().next_back().is_some_and(|c| c.is_alphanumeric() || "_:$".contains(c));
            if !inside {
                expand(&text[start..], String::new(), &mut paths);
            }
        }
    }
    paths
}

/// Takes one path from the beginning of `text`, all paths of it when it ends in a group, and returns what follows.
fn expand<'a>(text: &'a str, prefix: String, paths: &mut Vec<String>) -> &'a str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(text.len());
    let path = format!("{prefix}{}", &text[..end]);
    let mut rest = &text[end..];
    if !(path.ends_with("::") && rest.starts_with('{')) {
        paths.push(path);
        return rest;
    }
    while rest.starts_with(['{', ',']) {
        rest = rest[1..].trim_start();
        if rest.starts_with('}') {
            break;
        }
        rest = expand(rest, path.clone(), paths);
        // A renaming, and the space before a comma.
        rest = &rest[rest.find([',', '}']).unwrap_or(rest.len())..];
    }
    rest.strip_prefix('}').unwrap_or(rest)
}

/// A path named in `module`, from the root of its crate.
pub fn absolute(path: &str, module: &str) -> Option<Vec<String>> {
    let mut parts: Vec<&str> = path.split("::").filter(|part| !part.is_empty()).collect();
    let mut from: Vec<&str> =
        if parts.first() == Some(&"crate") { Vec::new() } else { module.split("::").collect() };
    while matches!(parts.first(), Some(&"super" | &"crate")) {
        from.pop();
        parts.remove(0);
    }
    from.extend(parts);
    (!from.is_empty()).then(|| from.into_iter().map(str::to_owned).collect())
}

#[test]
fn paths_are_taken_out_of_groups() {
    let text = "use super::{content, create::{Create, Rule as R}, member}; let x = crate::a::f(1); use other::super_b;";
    let mut found = paths_in(text);
    found.sort();
    let expected =
        ["crate::a::f", "super::content", "super::create::Create", "super::create::Rule", "super::member"];
    assert_eq!(found, expected);
    assert_eq!(
        absolute("super::create::Rule", "auth::member"),
        Some(vec!["auth".into(), "create".into(), "Rule".into()])
    );
    assert_eq!(absolute("crate::a", "auth::member"), Some(vec!["a".into()]));
}

/// The modules right below one that it names otherwise than to re-export them.
pub fn below<'a>(text: &str, module: &str, modules: impl Iterator<Item = &'a String>) -> Vec<String> {
    let own: Vec<&str> = text.split(';').filter(|part| !part.trim_start().starts_with("pub use ")).collect();
    let is_named = |child: &str| {
        let path = format!("{child}::");
        let at = |part: &&str| part.match_indices(&path).map(|(at, _)| at).collect::<Vec<_>>();
        let begins =
            |part: &str, at: usize| !part[..at].ends_with(|c: char| c.is_alphanumeric() || "_:$".contains(c));
        own.iter().any(|part| at(part).into_iter().any(|at| begins(part, at)))
    };
    let prefix = format!("{module}::");
    let children = modules.filter(|other| {
        other.strip_prefix(&prefix).is_some_and(|child| !child.contains("::") && is_named(child))
    });
    children.cloned().collect()
}

#[test]
fn modules_below_are_found_where_they_are_used() {
    let modules: Vec<String> = ["a", "a::b", "a::c", "a::d", "a::b::e"].map(str::to_owned).to_vec();
    let text = "mod b; mod c; pub use b::B; use c::{C, f}; let x = crate::d::g(1) + bb::h();";
    assert_eq!(below(text, "a", modules.iter()), ["a::c"]);
    assert_eq!(below("let x = b::f();", "a", modules.iter()), ["a::b"]);
}
