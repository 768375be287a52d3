//! `GET /_matrix/static/client/login/`.

use axum::response::Response;
use http::StatusCode;

use crate::page::Page;

/// The form. It is sent by the script; without that nothing is sent.
const FORM: &str = r#"<h1>Log in</h1>
<form id="login" method="post">
<p><label>User name<br><input name="user" autocomplete="username" autocapitalize="none" required></label></p>
<p><label>Password<br><input name="password" type="password" autocomplete="current-password" required></label></p>
<p><button>Log in</button></p>
</form>
<p id="status" role="status"></p>"#;

/// `GET /_matrix/static/client/login/` (client-server API, "Login Fallback"). For everyone.
pub async fn show() -> Response {
    let script = Some(include_str!("login.js"));
    let may = "; connect-src 'self'; form-action 'none'";
    Page { status: StatusCode::OK, title: "Log in", content: FORM, script, may }.response()
}
