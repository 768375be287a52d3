//! The client-server API as the generator uses it: one method for each request.
//!
//! A [`Session`] is an account with a connection of its own. Bodies that go over the wire thousands of times are built
//! without an intermediate tree, and answers are read only as far as needed.

mod keys;
mod lists;
mod media;

use std::rc::Rc;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use hyper::Method;
use hyper::header::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha1::Sha1;

use crate::http::{Connection, Failure, Target};

pub use keys::{Identity, KeyObjects, backup_key};

const V3: &str = "/_matrix/client/v3";

/// What may stand in a path segment as it is (RFC 3986, unreserved).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A path segment, percent-encoded.
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// A logged-in device.
#[derive(Debug)]
pub struct Account {
    pub user_id: String,
    pub device_id: String,
    pub password: String,
    /// The value of the `Authorization` header.
    pub token: HeaderValue,
}

/// A room id, and the same percent-encoded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Room {
    pub id: String,
    path: String,
}

impl Room {
    pub fn new(id: String) -> Self {
        let path = segment(&id);
        Self { id, path }
    }
}

/// How accounts are made.
#[derive(Clone, Debug)]
pub enum Registration {
    /// `POST /_synapse/admin/v1/register`, signed with this secret.
    SharedSecret(String),
    /// `POST /_matrix/client/v3/register` with `m.login.dummy`.
    Open,
}

#[derive(Deserialize)]
struct LoggedIn {
    user_id: String,
    device_id: String,
    access_token: String,
}

impl LoggedIn {
    fn account(self, password: &str) -> Result<Account, Failure> {
        let token = HeaderValue::from_str(&format!("Bearer {}", self.access_token))
            .map_err(|_| Failure::Unexpected("access_token".to_owned()))?;
        let Self { user_id, device_id, .. } = self;
        Ok(Account { user_id, device_id, password: password.to_owned(), token })
    }
}

/// Registers `name` and logs it in.
pub async fn register(
    connection: &mut Connection,
    registration: &Registration,
    name: &str,
) -> Result<Account, Failure> {
    let password = format!("pw-{name}");
    let logged_in: LoggedIn = match registration {
        Registration::SharedSecret(secret) => {
            let path = "/_synapse/admin/v1/register";
            #[derive(Deserialize)]
            struct Nonce {
                nonce: String,
            }
            let Nonce { nonce } = parse(&connection.call(Method::GET, path, None, Bytes::new()).await?)?;
            let mac = shared_secret_mac(secret, &nonce, name, &password);
            let body =
                json!({"nonce": nonce, "username": name, "password": password, "admin": false, "mac": mac});
            parse(&connection.call(Method::POST, path, None, to_bytes(&body)).await?)?
        }
        Registration::Open => {
            let body = json!({"username": name, "password": password, "auth": {"type": "m.login.dummy"}});
            let path = format!("{V3}/register");
            parse(&connection.call(Method::POST, &path, None, to_bytes(&body)).await?)?
        }
    };
    logged_in.account(&password)
}

/// HMAC-SHA1 over `nonce\0user\0password\0notadmin`, in hexadecimal.
fn shared_secret_mac(secret: &str, nonce: &str, name: &str, password: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update([nonce, name, password, "notadmin"].join("\0").as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Logs `account`'s user in on a new device.
pub async fn login(connection: &mut Connection, user_id: &str, password: &str) -> Result<Account, Failure> {
    let body = json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": user_id},
        "password": password,
    });
    let answer = connection.call(Method::POST, &format!("{V3}/login"), None, to_bytes(&body)).await?;
    parse::<LoggedIn>(&answer)?.account(password)
}

/// An account that speaks over a connection of its own.
#[derive(Debug)]
pub struct Session {
    pub account: Rc<Account>,
    connection: Connection,
}

/// One page of `/messages`.
#[derive(Debug, Deserialize)]
pub struct Page {
    pub chunk: Vec<Value>,
    pub end: Option<String>,
}

impl Session {
    pub fn new(target: &Target, account: Rc<Account>) -> Self {
        Self { account, connection: Connection::new(target) }
    }

    async fn call(&mut self, method: Method, path: &str, body: Bytes) -> Result<Bytes, Failure> {
        self.connection.call(method, path, Some(&self.account.token), body).await
    }

    /// A request without a body below `/_matrix/client/v3`.
    pub async fn get(&mut self, path: &str) -> Result<Bytes, Failure> {
        self.call(Method::GET, &format!("{V3}{path}"), Bytes::new()).await
    }

    async fn put(&mut self, path: &str, body: &Value) -> Result<Bytes, Failure> {
        self.call(Method::PUT, &format!("{V3}{path}"), to_bytes(body)).await
    }

    async fn post(&mut self, path: &str, body: &Value) -> Result<Bytes, Failure> {
        self.call(Method::POST, &format!("{V3}{path}"), to_bytes(body)).await
    }

    pub async fn versions(&mut self) -> Result<(), Failure> {
        self.call(Method::GET, "/_matrix/client/versions", Bytes::new()).await.map(drop)
    }

    pub async fn whoami(&mut self) -> Result<String, Failure> {
        #[derive(Deserialize)]
        struct Whoami {
            user_id: String,
        }
        Ok(parse::<Whoami>(&self.get("/account/whoami").await?)?.user_id)
    }

    /// Creates a room from a `createRoom` body.
    pub async fn create_room(&mut self, body: &Value) -> Result<Room, Failure> {
        #[derive(Deserialize)]
        struct Created {
            room_id: String,
        }
        Ok(Room::new(parse::<Created>(&self.post("/createRoom", body).await?)?.room_id))
    }

    pub async fn join(&mut self, room: &Room) -> Result<(), Failure> {
        self.post(&format!("/join/{}", room.path), &json!({})).await.map(drop)
    }

    pub async fn leave(&mut self, room: &Room) -> Result<(), Failure> {
        self.post(&format!("/rooms/{}/leave", room.path), &json!({})).await.map(drop)
    }

    /// Sends a text message and gives its event id.
    pub async fn send(&mut self, room: &Room, transaction: &str, text: &str) -> Result<String, Failure> {
        let path = format!("/rooms/{}/send/m.room.message/{}", room.path, segment(transaction));
        event_id(&self.put(&path, &json!({"msgtype": "m.text", "body": text})).await?)
    }

    /// Sets a state event and gives its event id.
    pub async fn set_state(
        &mut self,
        room: &Room,
        kind: &str,
        key: &str,
        content: &Value,
    ) -> Result<String, Failure> {
        let path = format!("/rooms/{}/state/{}/{}", room.path, segment(kind), segment(key));
        event_id(&self.put(&path, content).await?)
    }

    pub async fn state(&mut self, room: &Room, kind: &str, key: &str) -> Result<Value, Failure> {
        parse(&self.get(&format!("/rooms/{}/state/{}/{}", room.path, segment(kind), segment(key))).await?)
    }

    /// One page of history, backwards from `from` or from the end.
    pub async fn messages_back(
        &mut self,
        room: &Room,
        from: Option<&str>,
        limit: u32,
    ) -> Result<Page, Failure> {
        let from = from.map(|token| format!("&from={}", segment(token))).unwrap_or_default();
        parse(&self.get(&format!("/rooms/{}/messages?dir=b&limit={limit}{from}", room.path)).await?)
    }

    pub async fn members(&mut self, room: &Room) -> Result<Bytes, Failure> {
        self.get(&format!("/rooms/{}/members", room.path)).await
    }

    pub async fn joined_members(&mut self, room: &Room) -> Result<Bytes, Failure> {
        self.get(&format!("/rooms/{}/joined_members", room.path)).await
    }

    pub async fn joined_rooms(&mut self) -> Result<Vec<String>, Failure> {
        #[derive(Deserialize)]
        struct Joined {
            joined_rooms: Vec<String>,
        }
        Ok(parse::<Joined>(&self.get("/joined_rooms").await?)?.joined_rooms)
    }

    pub async fn receipt(&mut self, room: &Room, event_id: &str) -> Result<(), Failure> {
        let path = format!("/rooms/{}/receipt/m.read/{}", room.path, segment(event_id));
        self.post(&path, &json!({})).await.map(drop)
    }

    pub async fn typing(&mut self, room: &Room, typing: bool) -> Result<(), Failure> {
        let path = format!("/rooms/{}/typing/{}", room.path, segment(&self.account.user_id));
        let body = if typing { json!({"typing": true, "timeout": 30_000}) } else { json!({"typing": false}) };
        self.put(&path, &body).await.map(drop)
    }

    pub async fn presence(&mut self, presence: &str, status: &str) -> Result<(), Failure> {
        let path = format!("/presence/{}/status", segment(&self.account.user_id));
        self.put(&path, &json!({"presence": presence, "status_msg": status})).await.map(drop)
    }

    pub async fn set_account_data(&mut self, kind: &str, content: &Value) -> Result<(), Failure> {
        let path = format!("/user/{}/account_data/{}", segment(&self.account.user_id), segment(kind));
        self.put(&path, content).await.map(drop)
    }

    pub async fn account_data(&mut self, kind: &str) -> Result<Value, Failure> {
        let path = format!("/user/{}/account_data/{}", segment(&self.account.user_id), segment(kind));
        parse(&self.get(&path).await?)
    }

    /// `/sync`; without `since` an initial one. The timeout is in milliseconds.
    pub async fn sync(&mut self, since: Option<&str>, timeout: u32) -> Result<SyncAnswer, Failure> {
        self.sync_with("", since, timeout).await
    }

    /// The same without members that the client does not need yet, as clients of today ask for it.
    pub async fn sync_lazily(&mut self, since: Option<&str>, timeout: u32) -> Result<SyncAnswer, Failure> {
        let filter = json!({"room": {"state": {"lazy_load_members": true}}});
        self.sync_with(&format!("&filter={}", segment(&filter.to_string())), since, timeout).await
    }

    async fn sync_with(
        &mut self,
        filter: &str,
        since: Option<&str>,
        timeout: u32,
    ) -> Result<SyncAnswer, Failure> {
        let since = since.map(|token| format!("&since={}", segment(token))).unwrap_or_default();
        let bytes = self.get(&format!("/sync?timeout={timeout}{filter}{since}")).await?;
        #[derive(Deserialize)]
        struct Token {
            next_batch: String,
        }
        Ok(SyncAnswer { next_batch: parse::<Token>(&bytes)?.next_batch, bytes })
    }
}

/// An answer of `/sync`: its token, and the rest unparsed.
#[derive(Debug)]
pub struct SyncAnswer {
    pub next_batch: String,
    pub bytes: Bytes,
}

impl SyncAnswer {
    /// Whether an id, of an event or of a user, stands in the answer.
    pub fn shows(&self, id: &str) -> bool {
        self.bytes.windows(id.len()).any(|window| window == id.as_bytes())
    }
}

fn event_id(bytes: &[u8]) -> Result<String, Failure> {
    #[derive(Deserialize)]
    struct Sent {
        event_id: String,
    }
    Ok(parse::<Sent>(bytes)?.event_id)
}

/// Reads an answer; what does not fit the spec is a failure.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(bytes).map_err(|error| Failure::Unexpected(error.to_string()))
}

fn to_bytes(value: &Value) -> Bytes {
    Bytes::from(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_encoded() {
        assert_eq!(segment("!a_b:local.host/#$é"), "%21a_b%3Alocal.host%2F%23%24%C3%A9");
    }

    /// The HMAC of `openssl dgst -sha1 -hmac secret` over the same bytes.
    #[test]
    fn the_mac_is_the_one_of_openssl() {
        let mac = shared_secret_mac("secret", "nonce", "alice", "pw");
        assert_eq!(mac, EXPECTED_MAC);
    }

    const EXPECTED_MAC: &str = "f9b5e1dbfecb7b1d1b89cbd7a2fd60853cf609f4";
}
