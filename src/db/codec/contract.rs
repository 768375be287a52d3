//! The trait, what it writes to and reads from, and how sequences are put together.

use bytes::Bytes;

/// Bytes of an encoded position.
pub const POSITION_BYTES: usize = 12;

/// A type with an order-preserving encoding.
pub trait Codec: Sized {
    /// Appends the encoding of `self`.
    fn encode(&self, out: &mut Encoder);

    /// Reads one value, leaving what follows it.
    fn decode(input: &mut Decoder<'_>) -> Result<Self, CodecError>;

    /// A sequence of values. A type of its own only for `u8`, whose sequences are byte strings.
    #[doc(hidden)]
    fn encode_sequence(items: &[Self], out: &mut Encoder) {
        encode_items(items, out);
    }

    #[doc(hidden)]
    fn decode_sequence(input: &mut Decoder<'_>) -> Result<Vec<Self>, CodecError> {
        decode_items(input)
    }
}

/// Stored bytes that are not what their type says: corruption, or a row of another version of the program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    #[error("the bytes end inside a value")]
    Truncated,
    #[error("{0} bytes follow the value")]
    Trailing(usize),
    #[error("not a valid {0}")]
    Invalid(&'static str),
    #[error("{record} has no version {version}")]
    UnknownVersion { record: &'static str, version: u8 },
}

/// Where a pending position stands in encoded bytes, and the index it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PositionSlot {
    pub offset: u32,
    pub index: u32,
}

/// Encoded bytes together with the places of their pending positions.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Encoded {
    pub bytes: Vec<u8>,
    pub slots: Vec<PositionSlot>,
}

/// Collects encoded bytes.
#[derive(Default)]
pub struct Encoder {
    encoded: Encoded,
}

impl Encoder {
    pub(crate) fn with_prefix(prefix: &[u8]) -> Encoder {
        // Most keys and small rows fit, so one allocation does.
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(prefix);
        Encoder { encoded: Encoded { bytes, slots: Vec::new() } }
    }

    /// Appends bytes as they are. The caller answers for the order and for finding the end again.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.encoded.bytes.extend_from_slice(bytes);
    }

    /// Appends one byte.
    pub fn byte(&mut self, byte: u8) {
        self.encoded.bytes.push(byte);
    }

    /// Appends a byte string of any length, self-delimiting.
    pub fn escaped(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(zero) = rest.iter().position(|byte| *byte == 0) {
            let (head, tail) = rest.split_at(zero);
            self.raw(head);
            self.raw(&[0x00, 0xFF]);
            // `tail` begins with the zero that was found.
            rest = tail.get(1..).unwrap_or_default();
        }
        self.raw(rest);
        self.raw(&[0x00, 0x00]);
    }

    /// Leaves room for a position that the committer fills in.
    pub(crate) fn position_slot(&mut self, index: u32) {
        // A batch is at most 8 MB, so the offset of anything that is accepted fits; a larger one is refused by its size.
        let offset = u32::try_from(self.encoded.bytes.len()).unwrap_or(u32::MAX);
        self.encoded.slots.push(PositionSlot { offset, index });
        self.raw(&[0xFF; POSITION_BYTES]);
    }

    pub(crate) fn finish(self) -> Encoded {
        self.encoded
    }
}

/// Reads encoded bytes from the front.
pub struct Decoder<'a> {
    rest: &'a [u8],
    /// The buffer that `rest` lies in, so that byte strings can share it.
    shared: Option<&'a Bytes>,
}

impl<'a> Decoder<'a> {
    pub fn new(bytes: &'a [u8]) -> Decoder<'a> {
        Decoder { rest: bytes, shared: None }
    }

    /// Like [`Decoder::new`], and lets `Tail<Bytes>` share the buffer.
    pub fn shared(bytes: &'a Bytes) -> Decoder<'a> {
        Decoder { rest: bytes, shared: Some(bytes) }
    }

    /// The next byte without taking it.
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Takes one byte.
    pub fn byte(&mut self) -> Result<u8, CodecError> {
        let (first, rest) = self.rest.split_first().ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    /// Takes `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], CodecError> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    /// Takes `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    /// Takes everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Takes everything that is left, without copying it where the decoder was given a shared buffer.
    pub fn rest_shared(&mut self) -> Bytes {
        let rest = self.rest();
        self.shared.map_or_else(|| Bytes::copy_from_slice(rest), |buffer| buffer.slice_ref(rest))
    }

    /// Takes a byte string written by [`Encoder::escaped`].
    pub fn escaped(&mut self) -> Result<Vec<u8>, CodecError> {
        let mut out = Vec::new();
        loop {
            let zero = self.rest.iter().position(|byte| *byte == 0).ok_or(CodecError::Truncated)?;
            out.extend_from_slice(self.take(zero)?);
            match self.array::<2>()? {
                [_, 0x00] => return Ok(out),
                [_, 0xFF] => out.push(0),
                _ => return Err(CodecError::Invalid("escape in a byte string")),
            }
        }
    }

    /// Says that the value is over: an error if anything follows.
    pub fn finish(self) -> Result<(), CodecError> {
        if self.rest.is_empty() { Ok(()) } else { Err(CodecError::Trailing(self.rest.len())) }
    }
}

/// The bytes of one value. Pending positions stay placeholders of 0xFF.
pub fn encode<T: Codec>(value: &T) -> Vec<u8> {
    let mut out = Encoder::default();
    value.encode(&mut out);
    out.finish().bytes
}

/// One value from exactly these bytes.
pub fn decode<T: Codec>(bytes: &[u8]) -> Result<T, CodecError> {
    decode_all(Decoder::new(bytes))
}

pub(crate) fn decode_all<T: Codec>(mut input: Decoder<'_>) -> Result<T, CodecError> {
    let value = T::decode(&mut input)?;
    input.finish()?;
    Ok(value)
}

/// No element follows; nothing is there.
pub(super) const END: u8 = 0;
/// An element follows; something is there.
pub(super) const ITEM: u8 = 1;

/// Elements one after the other, each announced.
pub(super) fn encode_items<'a, T: Codec + 'a>(items: impl IntoIterator<Item = &'a T>, out: &mut Encoder) {
    for item in items {
        out.byte(ITEM);
        item.encode(out);
    }
    out.byte(END);
}

/// The elements up to the end mark. The memory taken grows with the bytes read, at most one element for each byte.
pub(super) fn decode_items<T: Codec>(input: &mut Decoder<'_>) -> Result<Vec<T>, CodecError> {
    let mut items = Vec::new();
    while more(input)? {
        items.push(T::decode(input)?);
    }
    Ok(items)
}

/// Whether an element follows, or the end.
pub(super) fn more(input: &mut Decoder<'_>) -> Result<bool, CodecError> {
    match input.byte()? {
        END => Ok(false),
        ITEM => Ok(true),
        _ => Err(CodecError::Invalid("sequence")),
    }
}
