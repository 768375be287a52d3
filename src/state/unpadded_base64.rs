//! Unpadded base64 (appendices, "Unpadded Base64").

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

const UNPADDED: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Unpadded base64 of bytes.
pub(crate) fn encode(bytes: &[u8]) -> String {
    UNPADDED.encode(bytes)
}

/// The bytes of what was received: with or without padding and whatever its last bits, for it is the bytes that count.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    UNPADDED.decode(text).ok()
}
