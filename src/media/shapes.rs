//! Which thumbnails there are.
//!
//! Owns: the fixed list of shapes, and which of them serves a request. Does not own: making them ([`crate::pictures`]).
//!
//! Invariant: a request gets a shape that covers what it asks for, so a client never gets less than it wanted; nobody can make this server
//! store more of a file than there are shapes.

use crate::schema::{Method, Shape};

/// Cut to fill: those of the specification ("Thumbnails"), and squares and 4:3 above them for screens of today.
const CROPPED: [(u32, u32); 8] =
    [(32, 32), (96, 96), (256, 256), (320, 240), (640, 480), (640, 640), (800, 600), (1600, 1200)];
/// Fitted in: those of the specification, and one above.
const SCALED: [(u32, u32); 4] = [(320, 240), (640, 480), (800, 600), (1600, 1200)];
/// For whoever wants more: the picture as large as it is.
const WHOLE: u32 = 65_535;

/// What a client asks for (client-server API, `GET /thumbnail`).
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    pub width: u32,
    pub height: u32,
    pub method: Method,
    pub animated: bool,
}

/// The smallest shape that covers what is wanted; of those that do, one of the same proportions first.
pub(crate) fn shape(wanted: &Wanted) -> Shape {
    let sizes: &[(u32, u32)] = match wanted.method {
        Method::Crop => &CROPPED,
        Method::Scale => &SCALED,
    };
    let Wanted { width, height, method, animated } = *wanted;
    let covering = sizes.iter().copied().filter(|size| size.0 >= width && size.1 >= height);
    let best = covering.min_by_key(|size| {
        let is_other = u64::from(size.0) * u64::from(height) != u64::from(size.1) * u64::from(width);
        (is_other, size.0 * size.1)
    });
    match best {
        Some((width, height)) => Shape { method, width, height, animated },
        None => Shape { method: Method::Scale, width: WHOLE, height: WHOLE, animated },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn size(method: Method, width: u32, height: u32) -> (u32, u32) {
        let shape = shape(&Wanted { width, height, method, animated: false });
        (shape.width, shape.height)
    }

    #[test]
    fn a_shape_covers_what_is_wanted() {
        let crop = [((1, 1), (32, 32)), ((32, 32), (32, 32)), ((33, 33), (96, 96)), ((100, 75), (320, 240))];
        for ((width, height), expected) in crop {
            assert_eq!(size(Method::Crop, width, height), expected, "{width}x{height}");
        }
        let scale = [
            ((1, 1), (320, 240)),
            ((240, 320), (640, 480)),
            ((800, 600), (800, 600)),
            ((801, 1), (1600, 1200)),
        ];
        for ((width, height), expected) in scale {
            assert_eq!(size(Method::Scale, width, height), expected, "{width}x{height}");
        }
        for method in [Method::Crop, Method::Scale] {
            assert_eq!(size(method, u32::MAX, 1), (WHOLE, WHOLE));
        }
    }

    /// Row 114 of the hostile input: a thousand sizes.
    #[test]
    fn row_114_there_are_few_shapes_whatever_is_asked_for() {
        let all: BTreeSet<_> = (1..2_000).map(|width| size(Method::Crop, width, 2_000 - width)).collect();
        assert!(all.len() <= CROPPED.len() + 1);
    }
}
