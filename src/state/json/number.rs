//! Which numbers an event may hold, and how each is written in canonical JSON.

use std::borrow::Cow;

use plop_base::limits::MAX_SAFE_INT;

use super::value::Value;

/// Which numbers JSON may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberRule {
    /// Integers within ±(2^53 - 1), no fraction, no exponent, no `-0` (room version 6 and later, and all that clients
    /// send).
    Strict,
    /// Any finite JSON number (room versions 1 to 5). Servers of that time hashed what Python's `json` module writes,
    /// so that is the canonical form here: integers of any length as they are (`-0` as `0`), all others as the shortest
    /// text that reads back as the same double (`1e3` as `1000.0`).
    Lenient,
}

/// Longest integer that [`NumberRule::Lenient`] takes: what Python converts (its limit on integer strings).
const MAX_DIGITS: usize = 4300;

/// The value of a syntactically correct JSON number, or `None` when the rule refuses it.
pub(super) fn read(token: &str, rule: NumberRule) -> Option<Value> {
    let integer = !token.contains(['.', 'e', 'E']);
    match rule {
        NumberRule::Strict if integer && token != "-0" => {
            let int: i64 = token.parse().ok()?;
            (int.unsigned_abs() <= MAX_SAFE_INT).then_some(Value::Int(int))
        }
        NumberRule::Strict => None,
        NumberRule::Lenient if integer => {
            if let Ok(int) = token.parse::<i64>() {
                return Some(Value::Int(int));
            }
            (token.len() <= MAX_DIGITS).then(|| Value::Number(token.into()))
        }
        NumberRule::Lenient => {
            let double: f64 = token.parse().ok()?;
            double.is_finite().then(|| Value::Number(python_repr(double).into()))
        }
    }
}

/// A finite double as Python writes it: shortest digits, positional for exponents from -4 to 15, else scientific with
/// at least two digits of exponent.
fn python_repr(double: f64) -> Cow<'static, str> {
    let scientific = format!("{double:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific.into() };
    // `{:e}` of a finite double always has an integer exponent.
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        return format!("{double:?}").into();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs()).into()
}
