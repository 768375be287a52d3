//! The server-server API, through its router.

mod openid;
