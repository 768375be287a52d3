//! Encodings of numbers, booleans, byte strings and text.

use std::sync::Arc;

use bytes::Bytes;

use super::contract::{Codec, CodecError, Decoder, Encoder};

impl Codec for () {
    fn encode(&self, _out: &mut Encoder) {}

    fn decode(_input: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(())
    }
}

impl Codec for bool {
    fn encode(&self, out: &mut Encoder) {
        out.byte(u8::from(*self));
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
        match input.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(CodecError::Invalid("boolean")),
        }
    }
}

impl Codec for u8 {
    fn encode(&self, out: &mut Encoder) {
        out.byte(*self);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
        input.byte()
    }

    fn encode_sequence(items: &[Self], out: &mut Encoder) {
        out.escaped(items);
    }

    fn decode_sequence(input: &mut Decoder<'_>) -> Result<Vec<Self>, CodecError> {
        input.escaped()
    }
}

/// Digits of `value` without leading zeros.
fn minimal(bytes: &[u8; 8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

/// Reads `length` digits and refuses forms that [`minimal`] would not have written.
fn digits(input: &mut Decoder<'_>, length: usize) -> Result<u64, CodecError> {
    let taken = input.take(length)?;
    if length > 8 || taken.first() == Some(&0) {
        return Err(CodecError::Invalid("integer"));
    }
    Ok(taken.iter().fold(0, |value, digit| value << 8 | u64::from(*digit)))
}

impl Codec for u64 {
    fn encode(&self, out: &mut Encoder) {
        let bytes = self.to_be_bytes();
        let digits = minimal(&bytes);
        // At most 8 digits.
        out.byte(digits.len() as u8);
        out.raw(digits);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let length = input.byte()?;
        digits(input, usize::from(length))
    }
}

macro_rules! smaller_unsigned {
    ($($type:ty),+) => {$(
        impl Codec for $type {
            fn encode(&self, out: &mut Encoder) {
                u64::from(*self).encode(out);
            }

            fn decode(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
                <$type>::try_from(u64::decode(input)?).map_err(|_| CodecError::Invalid(stringify!($type)))
            }
        }
    )+};
}
smaller_unsigned!(u16, u32);

/// First byte of the number zero; larger numbers have 0x81 to 0x88, negative ones 0x7F down to 0x77.
const SIGNED_ZERO: u8 = 0x80;

impl Codec for i64 {
    fn encode(&self, out: &mut Encoder) {
        // A negative number is written as the mirror image of its complement, so that -1 comes last.
        let mirror = if *self < 0 { 0xFF } else { 0x00 };
        let magnitude = if *self < 0 { !*self } else { *self };
        let bytes = magnitude.to_be_bytes();
        let digits = minimal(&bytes);
        let length = digits.len() as u8;
        out.byte(if *self < 0 { SIGNED_ZERO - 1 - length } else { SIGNED_ZERO + length });
        for digit in digits {
            out.byte(digit ^ mirror);
        }
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let first = input.byte()?;
        let negative = first < SIGNED_ZERO;
        let length = if negative { SIGNED_ZERO - 1 - first } else { first - SIGNED_ZERO };
        let mirrored: Vec<u8> = input
            .take(usize::from(length))?
            .iter()
            .map(|digit| if negative { !digit } else { *digit })
            .collect();
        let magnitude = digits(&mut Decoder::new(&mirrored), mirrored.len())?;
        let magnitude = i64::try_from(magnitude).map_err(|_| CodecError::Invalid("i64"))?;
        Ok(if negative { !magnitude } else { magnitude })
    }
}

impl<const N: usize> Codec for [u8; N] {
    fn encode(&self, out: &mut Encoder) {
        out.raw(self);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
        input.array()
    }
}

impl Codec for Bytes {
    fn encode(&self, out: &mut Encoder) {
        out.escaped(self);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
        input.escaped().map(Bytes::from)
    }
}

impl Codec for String {
    fn encode(&self, out: &mut Encoder) {
        out.escaped(self.as_bytes());
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
        String::from_utf8(input.escaped()?).map_err(|_| CodecError::Invalid("UTF-8 text"))
    }
}

macro_rules! text {
    ($($type:ty),+) => {$(
        impl Codec for $type {
            fn encode(&self, out: &mut Encoder) {
                out.escaped(self.as_bytes());
            }

            fn decode(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
                String::decode(input).map(<$type>::from)
            }
        }
    )+};
}
text!(Box<str>, Arc<str>);

/// As what it holds.
impl<T: Codec> Codec for Arc<T> {
    fn encode(&self, out: &mut Encoder) {
        T::encode(self, out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
        T::decode(input).map(Self::new)
    }
}

/// A byte string or text that goes to the end of its key or value, unescaped. It can only be the last field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tail<T>(pub T);

impl Codec for Tail<Bytes> {
    fn encode(&self, out: &mut Encoder) {
        out.raw(&self.0);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(Tail(input.rest_shared()))
    }
}

impl Codec for Tail<Vec<u8>> {
    fn encode(&self, out: &mut Encoder) {
        out.raw(&self.0);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(Tail(input.rest().to_vec()))
    }
}

macro_rules! text_tail {
    ($($type:ty),+) => {$(
        impl Codec for Tail<$type> {
            fn encode(&self, out: &mut Encoder) {
                out.raw(self.0.as_bytes());
            }

            fn decode(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
                let text = std::str::from_utf8(input.rest()).map_err(|_| CodecError::Invalid("UTF-8 text"))?;
                Ok(Tail(text.into()))
            }
        }
    )+};
}
text_tail!(String, Box<str>, Arc<str>);
