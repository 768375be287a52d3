//! The rules for an invite that takes up one of a third party.

use serde_json::json;

use super::room::*;
use crate::auth::AuthError::*;
use crate::auth::ThirdPartyInviteError;

const ALLOW: Result<(), crate::auth::AuthError> = Ok(());

/// Signed by the key whose seed is 32 times 7, of which the public half is `KEY`.
fn third_party_invite(mxid: &str, token: &str) -> Draft {
    use ed25519_dalek::Signer;
    let signed = format!(r#"{{"mxid":"{mxid}","token":"{token}"}}"#);
    let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let signature = crate::unpadded_base64::encode(&key.sign(signed.as_bytes()).to_bytes());
    let content = json!({
        "membership": "invite",
        "third_party_invite": {
            "display_name": "s...",
            "signed": { "mxid": mxid, "token": token, "signatures": { "id": { "ed25519:0": signature } } },
        },
    });
    Draft::member(USER, STRANGER, "invite").content(&content.to_string())
}

fn public_key(seed: u8) -> String {
    let key = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
    crate::unpadded_base64::encode(key.verifying_key().as_bytes())
}

fn with_keys(content: serde_json::Value) -> Setup {
    room().with(Draft::state(USER, "m.room.third_party_invite", "token", content))
}

#[test]
fn invite_by_third_party() {
    let invite = || third_party_invite(STRANGER, "token");
    let room = || with_keys(json!({ "public_key": public_key(7) }));
    let url_safe = public_key(7).replace('+', "-").replace('/', "_");
    let listed = json!({ "public_key": public_key(1), "public_keys": [1, { "public_key": public_key(7) }] });
    let tampered = invite().content.replace("s...", "t...");
    let wrong = |error| Err(ThirdPartyInvite(error));
    let content = |third_party_invite: &str| {
        Draft::member(USER, STRANGER, "invite")
            .content(&format!(r#"{{"membership":"invite","third_party_invite":{third_party_invite}}}"#))
    };
    let malformed = wrong(ThirdPartyInviteError::Malformed);
    assert_all(&[
        case("signed by the key", ALL, invite(), room(), ALLOW),
        case("signed by one of the keys", ALL, invite(), with_keys(listed), ALLOW),
        case(
            "a key in the other alphabet",
            ALL,
            invite(),
            with_keys(json!({ "public_key": url_safe })),
            ALLOW,
        ),
        case("the name is not signed", ALL, invite().content(&tampered), room(), ALLOW),
        case("the sender need not be joined", ALL, invite(), room().member(USER, "leave"), ALLOW),
        case("nor have the level", ALL, invite(), room().levels(json!({ "invite": 100 })), ALLOW),
        case("target banned", ALL, invite(), room().member(STRANGER, "ban"), Err(Banned)),
        case("the property is there but no object", ALL, content("null"), room(), malformed.clone()),
        case("no `signed`", ALL, content("{}"), room(), malformed.clone()),
        case("no `mxid`", ALL, content(r#"{"signed":{"token":"token"}}"#), room(), malformed.clone()),
        case("no `token`", ALL, content(r#"{"signed":{"mxid":"@stranger:b"}}"#), room(), malformed),
        case(
            "`mxid` of another user",
            ALL,
            third_party_invite(LEFT, "token"),
            room(),
            wrong(ThirdPartyInviteError::OtherUser),
        ),
        case(
            "an unknown token",
            ALL,
            third_party_invite(STRANGER, "other"),
            room(),
            wrong(ThirdPartyInviteError::UnknownToken),
        ),
        case(
            "another sender",
            ALL,
            Draft { sender: ADMIN.to_owned(), ..invite() },
            room(),
            wrong(ThirdPartyInviteError::OtherSender),
        ),
        case(
            "another key",
            ALL,
            invite(),
            with_keys(json!({ "public_key": public_key(1) })),
            wrong(ThirdPartyInviteError::Signature),
        ),
        case("no keys", ALL, invite(), with_keys(json!({})), wrong(ThirdPartyInviteError::Signature)),
        case(
            "no signature",
            ALL,
            content(r#"{"signed":{"mxid":"@stranger:b","token":"token"}}"#),
            room(),
            wrong(ThirdPartyInviteError::Signature),
        ),
    ]);
}
