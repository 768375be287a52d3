//! Searching the directory (client-server API, `POST /user_directory/search`).
//!
//! Owns: who matches a term, in which order. Does not own: who may be seen by whom ([`crate::meeting`]).
//!
//! Invariants: all words of the term begin words of the user's id or of the name that the searcher may see; the index is only where candidates come from. At
//! most [`MAX_CANDIDATES`] of them are looked at. Locked, suspended and deactivated users of this server are not found, nor is the searcher. Users whom the
//! searcher ignores are: the list of ignored users is about what they send, and whoever wants to take somebody off it has to find them.

use std::collections::BTreeSet;

use plop_accounts::profile::{MemberProfile, member_profiles};
use plop_accounts::schema::Users;
use plop_db::{Direction, KeyRange, ReadError, Snapshot};
use plop_rooms::schema::Members;
use ruma::{OwnedUserId, UserId};

use crate::directory::Directory;
use crate::meeting::Searcher;
use crate::schema::Words;
use crate::words::{folded, words};

/// Users of an answer, at most.
pub const MAX_FOUND: usize = 50;
/// Users that one search looks at, seen or not.
const MAX_CANDIDATES: usize = 400;
/// Rows of the index that one search reads: a user may stand under several words with the same beginning.
const MAX_WORD_ROWS: usize = 1_000;
/// Candidates whose accounts are read at once.
const CHUNK: usize = 50;
/// Rooms in common whose names of a user of another server are looked at.
const NAMES: usize = 8;

/// A user who was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub user: OwnedUserId,
    pub display_name: Option<String>,
    pub avatar_url: Option<String>,
}

/// What a search has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Whom the term names exactly first, then who is in a room with the searcher.
    pub users: Vec<Found>,
    /// There are more, or there may be.
    pub limited: bool,
}

/// How good a hit is: the smallest is the best.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    is_inexact: bool,
    shares_no_room: bool,
    has_no_name: bool,
    user: OwnedUserId,
}

/// What was searched for.
struct Term {
    folded: String,
    words: Vec<String>,
}

impl Term {
    fn new(text: &str) -> Self {
        Self { folded: folded(text.trim()), words: words(text) }
    }

    /// The word that is looked up in the index. In a user id the localpart comes first, and the server's name is in no index.
    fn key(&self) -> Option<&String> {
        let longest = || self.words.iter().max_by_key(|word| word.len());
        if self.folded.contains(':') { self.words.first() } else { longest() }
    }

    /// Whether a user of this name is meant.
    fn matches(&self, user: &UserId, name: Option<&str>) -> bool {
        let (mut own, server) = (words(user.localpart()), words(user.server_name().as_str()));
        own.extend(name.map(words).unwrap_or_default());
        let begins = |names: &[String], word: &str| names.iter().any(|name| name.starts_with(word));
        // Who names a server alone means nobody.
        self.words.iter().any(|word| begins(&own, word))
            && self.words.iter().all(|word| begins(&own, word) || begins(&server, word))
    }

    fn is_exactly(&self, user: &UserId, name: Option<&str>) -> bool {
        let term = self.folded.as_str();
        let localpart = folded(user.localpart());
        term.strip_prefix('@').unwrap_or(term) == localpart
            || term == folded(user.as_str())
            || name.is_some_and(|name| folded(name.trim()) == term)
    }
}

impl Directory {
    /// Searches for users whom this one may find; as many as `limit` says, but not more than [`MAX_FOUND`].
    pub async fn search(&self, searcher: &UserId, term: &str, limit: usize) -> Result<Answer, ReadError> {
        let term = Term::new(term);
        let Some(key) = term.key() else { return Ok(Answer::default()) };
        self.catch_up_for_search().await?;
        let snapshot = self.parts().db.snapshot();
        let (mut candidates, mut limited) = candidates(&snapshot, key).await?;
        candidates.retain(|candidate| candidate != searcher);
        let mut searcher = Searcher::new(&snapshot, searcher).await?;
        let mut found = Vec::new();
        for chunk in candidates.chunks(CHUNK) {
            found.extend(self.visible(&snapshot, &mut searcher, chunk, &term).await?);
        }
        found.sort_by(|one: &(Rank, Found), other| one.0.cmp(&other.0));
        let limit = limit.min(MAX_FOUND);
        limited |= searcher.gave_up || found.len() > limit;
        let users = found.into_iter().take(limit).map(|(_, found)| found).collect();
        Ok(Answer { users, limited })
    }

    /// Those of some candidates who match and are seen.
    async fn visible(
        &self,
        snapshot: &Snapshot,
        searcher: &mut Searcher,
        candidates: &[OwnedUserId],
        term: &Term,
    ) -> Result<Vec<(Rank, Found)>, ReadError> {
        let accounts = snapshot.get_many::<Users>(candidates).await?;
        let profiles = member_profiles(snapshot, candidates).await?;
        let mut found = Vec::new();
        for ((user, account), profile) in candidates.iter().zip(accounts).zip(profiles) {
            let seen = if self.is_local(user) {
                let is_there = account.is_some_and(|account| {
                    account.deactivated.is_none() && !account.locked && !account.suspended
                });
                if !is_there || !term.matches(user, profile.displayname.as_deref()) {
                    continue;
                }
                let meetings = searcher.meetings(snapshot, user, 1).await?;
                let is_shown = self.parts().parameters.shows_all_local_users || !meetings.are_none();
                is_shown.then_some((!meetings.shared.is_empty(), profile))
            } else {
                name_of_other(snapshot, searcher, user, term).await?
            };
            if let Some((shares, MemberProfile { displayname, avatar_url })) = seen {
                let rank = Rank {
                    is_inexact: !term.is_exactly(user, displayname.as_deref()),
                    shares_no_room: !shares,
                    has_no_name: displayname.is_none(),
                    user: user.clone(),
                };
                found.push((rank, Found { user: user.clone(), display_name: displayname, avatar_url }));
            }
        }
        Ok(found)
    }
}

/// Users under a word that begins so, each once, those under the word itself first; and whether there are more than these.
async fn candidates(snapshot: &Snapshot, key: &str) -> Result<(Vec<OwnedUserId>, bool), ReadError> {
    let last = format!("{key}{}", char::MAX);
    let range = KeyRange::<Words>::all().from(&key.to_owned()).to(&last);
    let page = snapshot.scan(range, Direction::Forward, MAX_WORD_ROWS).await?;
    let (mut seen, mut users) = (BTreeSet::new(), Vec::new());
    let mut more = page.more;
    for ((_, user), ()) in page.rows {
        if users.len() == MAX_CANDIDATES {
            more = true;
            break;
        }
        if seen.insert(user.clone()) {
            users.push(user);
        }
    }
    Ok((users, more))
}

/// How a user of another server is seen: by the name that they have in a room which the searcher may look into.
async fn name_of_other(
    snapshot: &Snapshot,
    searcher: &mut Searcher,
    user: &OwnedUserId,
    term: &Term,
) -> Result<Option<(bool, MemberProfile)>, ReadError> {
    let meetings = searcher.meetings(snapshot, user, NAMES).await?;
    let keys: Vec<_> = meetings.rooms().map(|room| (room, user.clone())).collect();
    let members = snapshot.get_many::<Members>(&keys).await?;
    let mut profiles = members
        .into_iter()
        .flatten()
        .map(|member| MemberProfile { displayname: member.displayname, avatar_url: member.avatar_url });
    let matching = profiles.find(|profile| term.matches(user, profile.displayname.as_deref()));
    Ok(matching.map(|profile| (!meetings.shared.is_empty(), profile)))
}
