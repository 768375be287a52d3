//! Encodings of options, sequences, maps and tuples.

use std::collections::{BTreeMap, BTreeSet};

use super::contract::{Codec, CodecError, Decoder, END, Encoder, ITEM, encode_items, more};

impl<T: Codec> Codec for Vec<T> {
    fn encode(&self, out: &mut Encoder) {
        T::encode_sequence(self, out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
        T::decode_sequence(input)
    }
}

impl<T: Codec + Ord> Codec for BTreeSet<T> {
    fn encode(&self, out: &mut Encoder) {
        encode_items(self, out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let mut set = BTreeSet::new();
        while more(input)? {
            let item = T::decode(input)?;
            if set.last().is_some_and(|last| *last >= item) {
                return Err(CodecError::Invalid("set order"));
            }
            set.insert(item);
        }
        Ok(set)
    }
}

impl<K: Codec + Ord, V: Codec> Codec for BTreeMap<K, V> {
    fn encode(&self, out: &mut Encoder) {
        for (key, value) in self {
            out.byte(ITEM);
            key.encode(out);
            value.encode(out);
        }
        out.byte(END);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let mut map = BTreeMap::new();
        while more(input)? {
            let key = K::decode(input)?;
            if map.last_key_value().is_some_and(|(last, _)| *last >= key) {
                return Err(CodecError::Invalid("map order"));
            }
            map.insert(key, V::decode(input)?);
        }
        Ok(map)
    }
}

impl<T: Codec> Codec for Option<T> {
    fn encode(&self, out: &mut Encoder) {
        match self {
            None => out.byte(END),
            Some(value) => {
                out.byte(ITEM);
                value.encode(out);
            }
        }
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
        more(input)?.then(|| T::decode(input)).transpose()
    }
}

macro_rules! tuples {
    ($(($($name:ident),+))+) => {$(
        #[allow(non_snake_case)]
        impl<$($name: Codec),+> Codec for ($($name,)+) {
            fn encode(&self, out: &mut Encoder) {
                let ($($name,)+) = self;
                $($name.encode(out);)+
            }

            fn decode(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
                Ok(($($name::decode(input)?,)+))
            }
        }
    )+};
}
tuples! { (A) (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, E) (A, B, C, D, E, F) }
