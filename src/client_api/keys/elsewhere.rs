//! Servers that are not asked.
//!
//! Owns: what clients are told of them. This server speaks to no others yet, so it is what they are told of one that cannot be reached.

use std::collections::BTreeSet;

use plop_state::json::TextWriter;
use ruma::OwnedServerName;

/// Writes the `failures` of an answer.
pub fn failures(out: &mut TextWriter, servers: &BTreeSet<OwnedServerName>) {
    out.key("failures");
    out.object();
    for server in servers {
        out.key(server.as_str());
        out.object();
        out.key("errcode");
        out.string("M_UNREACHABLE");
        out.key("error");
        out.string("This server cannot be reached.");
        out.close();
    }
    out.close();
}
