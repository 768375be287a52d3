//! `POST /v3/keys/signatures/upload`.

use axum::extract::State;
use plop_e2ee::keys::{KeyRejected, Keys, SignatureRefused, SignatureUpload, SignaturesRefused};
use plop_state::json::{Object, TextWriter, Value};
use ruma::OwnedUserId;
use ruma::api::error::ErrorKind;

use crate::error::ApiError;
use crate::extract::{Content, JsonText, Session};

/// `POST /_matrix/client/v3/keys/signatures/upload` (client-server API, "Cross-signing"). For users.
pub async fn upload(
    State(keys): State<Keys>,
    session: Session,
    Content(body): Content,
) -> Result<JsonText, ApiError> {
    let refused = keys.upload_signatures(session.actor(), &signatures(body)?).await?;
    Ok(JsonText(text(&refused)))
}

fn signatures(body: Object) -> Result<SignatureUpload, ApiError> {
    let malformed = || ApiError::bad_request(ErrorKind::BadJson, "The body is no map of users to keys.");
    let by_user = |(user, keys): (String, Value)| {
        let user = OwnedUserId::try_from(user).map_err(|_| malformed())?;
        let Value::Object(keys) = keys else { return Err(malformed()) };
        Ok((user, keys))
    };
    body.into_iter().map(by_user).collect()
}

fn text(refused: &SignaturesRefused) -> String {
    let mut out = TextWriter::new();
    out.object();
    out.key("failures");
    out.object();
    for (user, keys) in refused {
        out.key(user.as_str());
        out.object();
        for (key, why) in keys {
            out.key(key);
            out.object();
            out.key("errcode");
            out.string(code(why));
            out.key("error");
            out.string(&why.to_string());
            out.close();
        }
        out.close();
    }
    out.finish()
}

fn code(why: &SignatureRefused) -> &'static str {
    match why {
        SignatureRefused::UnknownKey => "M_NOT_FOUND",
        SignatureRefused::OtherKey | SignatureRefused::Rejected(KeyRejected::NotYours) => "M_INVALID_PARAM",
        SignatureRefused::InvalidSignature | SignatureRefused::Rejected(KeyRejected::InvalidSignature) => {
            "M_INVALID_SIGNATURE"
        }
        SignatureRefused::Rejected(KeyRejected::Malformed(_)) => "M_BAD_JSON",
        SignatureRefused::Rejected(KeyRejected::TooLarge) => "M_TOO_LARGE",
    }
}
