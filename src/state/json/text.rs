//! What JSON strings have in common for reader and writer.

/// How many bytes at the start are neither a quote, a backslash nor a control character: what stands in a JSON string
/// as it is. All three kinds are ASCII, so the end is a boundary of characters.
pub(super) fn plain_length(bytes: &[u8]) -> usize {
    let special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    let (blocks, _) = bytes.as_chunks::<32>();
    // A whole block at a time, without a branch for each byte, becomes vector instructions.
    let plain_blocks =
        blocks.iter().take_while(|block| !block.iter().fold(false, |found, byte| found | special(byte)));
    let start = plain_blocks.count() * 32;
    let rest = bytes.get(start..).unwrap_or_default();
    start + rest.iter().position(special).unwrap_or(rest.len())
}
