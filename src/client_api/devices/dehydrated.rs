//! `PUT`, `GET` and `DELETE` of a user's dehydrated device.

use axum::extract::State;
use plop_accounts::Accounts;
use plop_accounts::dehydrated::NewDehydratedDevice;
use plop_e2ee::keys::Keys;
use plop_state::json::{Object, TextWriter, Value};
use ruma::OwnedDeviceId;
use ruma::api::client::dehydrated_device::{delete_dehydrated_device, put_dehydrated_device};
use ruma::api::error::ErrorKind;

use crate::error::ApiError;
use crate::extract::{Content, JsonText, Ruma, Session};
use crate::keys::{take_object, take_upload};

/// Where the device is.
pub const PATH: &str = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device";

/// `PUT /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device` (MSC3814). For users. The body is read as that of `/keys/upload`, strictly, because
/// there are signatures in it.
pub async fn upload(
    State(keys): State<Keys>,
    session: Session,
    Content(mut body): Content,
) -> Result<Ruma<put_dehydrated_device::unstable::Response>, ApiError> {
    let id = take_text(&mut body, "device_id")?.ok_or_else(|| missing("device_id"))?;
    let device = NewDehydratedDevice {
        id: OwnedDeviceId::from(id),
        display_name: take_text(&mut body, "initial_device_display_name")?,
        data: take_object(&mut body, "device_data")?.ok_or_else(|| missing("device_data"))?,
    };
    let id = device.id.clone();
    keys.dehydrate(session.actor(), device, &take_upload(&mut body)?).await?;
    Ok(Ruma(put_dehydrated_device::unstable::Response::new(id)))
}

/// `GET /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device` (MSC3814). For users.
pub async fn read(State(accounts): State<Accounts>, session: Session) -> Result<JsonText, ApiError> {
    let device = accounts.dehydrated_device(session.actor()).await?;
    let mut out = TextWriter::new();
    out.object();
    out.key("device_id");
    out.string(device.id.as_str());
    out.key("device_data");
    out.text(&device.data);
    Ok(JsonText(out.finish()))
}

/// `DELETE /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device` (MSC3814). For users.
pub async fn delete(
    State(accounts): State<Accounts>,
    session: Session,
) -> Result<Ruma<delete_dehydrated_device::unstable::Response>, ApiError> {
    let gone = accounts.delete_dehydrated_device(session.actor()).await?;
    let gone = gone.ok_or_else(|| ApiError::not_found("There is no dehydrated device."))?;
    Ok(Ruma(delete_dehydrated_device::unstable::Response::new(gone)))
}

fn take_text(body: &mut Object, member: &str) -> Result<Option<String>, ApiError> {
    match body.remove(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ApiError::bad_request(ErrorKind::BadJson, format!("`{member}` is no string."))),
    }
}

fn missing(member: &str) -> ApiError {
    ApiError::missing_param(format!("There is no `{member}`."))
}
