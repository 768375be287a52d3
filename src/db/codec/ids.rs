//! Encodings of the protocol's identifiers and timestamps: their text, checked again when it is read back.

use plop_base::UnixMillis;
use ruma::{
    OwnedClientSecret, OwnedDeviceId, OwnedDeviceKeyId, OwnedEventId, OwnedMxcUri, OwnedOneTimeKeyId,
    OwnedRoomAliasId, OwnedRoomId, OwnedServerName, OwnedServerSigningKeyId, OwnedSessionId,
    OwnedTransactionId, OwnedUserId, RoomVersionId,
};

use super::contract::{Codec, CodecError, Decoder, Encoder};

macro_rules! identifiers {
    ($($type:ty),+ $(,)?) => {$(
        impl Codec for $type {
            fn encode(&self, out: &mut Encoder) {
                out.escaped(self.as_str().as_bytes());
            }

            fn decode(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
                <$type>::try_from(String::decode(input)?).map_err(|_| CodecError::Invalid(stringify!($type)))
            }
        }
    )+};
}

identifiers!(
    OwnedClientSecret,
    OwnedDeviceId,
    OwnedDeviceKeyId,
    OwnedEventId,
    OwnedMxcUri,
    OwnedOneTimeKeyId,
    OwnedRoomAliasId,
    OwnedRoomId,
    OwnedServerName,
    OwnedServerSigningKeyId,
    OwnedSessionId,
    OwnedTransactionId,
    OwnedUserId,
    RoomVersionId,
);

impl Codec for UnixMillis {
    fn encode(&self, out: &mut Encoder) {
        self.0.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
        u64::decode(input).map(UnixMillis)
    }
}
