//! What `plop check` asks of the accounts: that the rows which name each other agree.
//!
//! Owns: the references between this crate's keyspaces. Repairs nothing.

use plop_db::{Keyspace, Reference, ReferenceCheck};
use ruma::OwnedUserId;

use crate::schema::{
    AcceptedTerms, AccessTokens, AccountData, AccountDataChanges, AccountDataTotals, DehydratedDevices,
    DeviceListChanges, DeviceLists, DeviceTokens, Devices, EmailAddresses, EmailOwners, Filters, Guests,
    LastSeen, ListedDevices, OpenIdTokenEnds, OpenIdTokens, OpenIdTokensOfUser, Profiles, PusherOwners,
    Pushers, RefreshTokens, ThreadSubscriptionChanges, ThreadSubscriptionTotals, ThreadSubscriptions,
    TokenKind, Users,
};

/// The checks of this crate's rows.
pub fn reference_checks() -> Vec<Box<dyn ReferenceCheck>> {
    [
        owners(),
        devices(),
        tokens(),
        email_addresses(),
        pushers(),
        openid_tokens(),
        account_data(),
        thread_subscriptions(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What an account has goes with it.
fn owners() -> Vec<Box<dyn ReferenceCheck>> {
    vec![
        owned::<Profiles>("profiles of users", |(user, _), _| vec![user.clone()]),
        owned::<Devices>("devices of users", |(user, _), _| vec![user.clone()]),
        owned::<AccountData>("account data of users", |(user, ..), _| vec![user.clone()]),
        owned::<AccountDataTotals>("totals of users", |user, _| vec![user.clone()]),
        owned::<Filters>("filters of users", |(user, _), _| vec![user.clone()]),
        owned::<EmailAddresses>("e-mail addresses of users", |(user, _), _| vec![user.clone()]),
        owned::<Pushers>("pushers of users", |(user, ..), _| vec![user.clone()]),
        // One of the list may have become a full account, or have ended.
        Box::new(Reference::<Guests, Users>::exists("guests", |(_, user), ()| vec![user.clone()])),
        owned::<AcceptedTerms>("terms that users accepted", |(user, _), _| vec![user.clone()]),
        owned::<ThreadSubscriptions>("threads of users", |(user, ..), _| vec![user.clone()]),
        owned::<ThreadSubscriptionTotals>("totals of users", |user, _| vec![user.clone()]),
    ]
}

fn owned<K: Keyspace<Key: std::fmt::Debug>>(
    name: &'static str,
    owner: fn(&K::Key, &K::Value) -> Vec<OwnedUserId>,
) -> Box<dyn ReferenceCheck> {
    Box::new(Reference::<K, Users> { name, names: owner, agrees: |_, (_, user)| user.deactivated.is_none() })
}

/// Where a device was seen, what it may do and that others know of it goes with it.
fn devices() -> Vec<Box<dyn ReferenceCheck>> {
    vec![
        Box::new(Reference::<ListedDevices, Devices> {
            name: "devices on lists",
            names: |key, _| vec![key.clone()],
            agrees: |(_, since), (_, device)| device.since == *since,
        }),
        Box::new(Reference::<DehydratedDevices, Devices> {
            name: "dehydrated devices",
            names: |user, row| vec![(user.clone(), row.device.clone())],
            agrees: |(_, row), (_, device)| device.since == row.since,
        }),
        Box::new(Reference::<DeviceListChanges, DeviceLists> {
            name: "changes of device lists",
            names: |(_, user), ()| vec![user.clone()],
            agrees: |((changed, _), ()), (_, last)| changed == last,
        }),
        Box::new(Reference::<DeviceLists, DeviceListChanges>::exists("device lists", |user, last| {
            vec![(*last, user.clone())]
        })),
        Box::new(Reference::<LastSeen, Devices>::exists("devices last seen", |key, _| vec![key.clone()])),
        Box::new(Reference::<DeviceTokens, Devices>::exists("tokens of devices", |(user, device, _), _| {
            vec![(user.clone(), device.clone())]
        })),
    ]
}

/// Tokens and the lists of them by device lead to each other.
fn tokens() -> Vec<Box<dyn ReferenceCheck>> {
    vec![
        Box::new(Reference::<AccessTokens, DeviceTokens> {
            name: "access tokens",
            names: |token, row| vec![(row.user.clone(), row.device.clone(), *token)],
            agrees: |(_, row), (_, listed)| {
                listed.kind == TokenKind::Access && listed.generation == row.generation
            },
        }),
        Box::new(Reference::<RefreshTokens, DeviceTokens> {
            name: "refresh tokens",
            names: |token, row| vec![(row.user.clone(), row.device.clone(), *token)],
            agrees: |(_, row), (_, listed)| {
                listed.kind == TokenKind::Refresh && listed.generation == row.generation
            },
        }),
        Box::new(Reference::<DeviceTokens, AccessTokens> {
            name: "tokens of devices",
            names: |(_, _, token), listed| {
                (listed.kind == TokenKind::Access).then_some(*token).into_iter().collect()
            },
            agrees: |((user, device, _), _), (_, row)| row.user == *user && row.device == *device,
        }),
        Box::new(Reference::<DeviceTokens, RefreshTokens> {
            name: "tokens of devices",
            names: |(_, _, token), listed| {
                (listed.kind == TokenKind::Refresh).then_some(*token).into_iter().collect()
            },
            agrees: |((user, device, _), _), (_, row)| row.user == *user && row.device == *device,
        }),
    ]
}

/// Addresses and their owners lead to each other.
fn email_addresses() -> Vec<Box<dyn ReferenceCheck>> {
    vec![
        Box::new(Reference::<EmailAddresses, EmailOwners> {
            name: "owners of e-mail addresses",
            names: |(_, address), _| vec![address.clone()],
            agrees: |((user, _), _), (_, owner)| user == owner,
        }),
        Box::new(Reference::<EmailOwners, EmailAddresses>::exists(
            "owners of e-mail addresses",
            |address, user| vec![(user.clone(), address.clone())],
        )),
    ]
}

/// Pushers and the owners of their push keys lead to each other; a device that is woken is there.
fn pushers() -> Vec<Box<dyn ReferenceCheck>> {
    vec![
        Box::new(Reference::<Pushers, Devices>::exists("devices of pushers", |(user, ..), row| {
            row.device.iter().map(|device| (user.clone(), device.clone())).collect()
        })),
        Box::new(Reference::<Pushers, PusherOwners>::exists(
            "owners of pushers",
            |(user, app, push_key), _| vec![(app.clone(), push_key.clone(), user.clone())],
        )),
        Box::new(Reference::<PusherOwners, Pushers>::exists(
            "owners of pushers",
            |(app, push_key, user), ()| vec![(user.clone(), app.clone(), push_key.clone())],
        )),
    ]
}

/// OpenID tokens by their end and by their user lead to those by their hash, and back.
fn openid_tokens() -> Vec<Box<dyn ReferenceCheck>> {
    vec![
        Box::new(Reference::<OpenIdTokens, OpenIdTokensOfUser>::exists("tokens of users", |token, row| {
            vec![(row.user.clone(), row.expires, *token)]
        })),
        Box::new(Reference::<OpenIdTokensOfUser, OpenIdTokenEnds>::exists(
            "ends of tokens",
            |(_, expires, token), ()| vec![(*expires, *token)],
        )),
        Box::new(Reference::<OpenIdTokenEnds, OpenIdTokens> {
            name: "tokens with an end",
            names: |(_, token), _| vec![*token],
            agrees: |((expires, _), user), (_, row)| row.user == *user && row.expires == *expires,
        }),
    ]
}

/// Account data and its stream of changes lead to each other.
fn account_data() -> Vec<Box<dyn ReferenceCheck>> {
    vec![
        Box::new(Reference::<AccountData, AccountDataChanges> {
            name: "changes of account data",
            names: |(user, ..), row| vec![(user.clone(), row.position)],
            agrees: |((_, room, kind), _), (_, change)| (room, kind) == (&change.0, &change.1),
        }),
        Box::new(Reference::<AccountDataChanges, AccountData> {
            name: "changes of account data",
            names: |(user, _), (room, kind)| vec![(user.clone(), room.clone(), kind.clone())],
            agrees: |((_, position), _), (_, row)| row.position == *position,
        }),
    ]
}

/// Thread subscriptions and their stream of changes lead to each other.
fn thread_subscriptions() -> Vec<Box<dyn ReferenceCheck>> {
    vec![
        Box::new(Reference::<ThreadSubscriptions, ThreadSubscriptionChanges> {
            name: "changes of threads",
            names: |(user, ..), row| vec![(user.clone(), row.position)],
            agrees: |((_, room, root), _), (_, change)| (room, root) == (&change.0, &change.1),
        }),
        Box::new(Reference::<ThreadSubscriptionChanges, ThreadSubscriptions> {
            name: "changes of threads",
            names: |(user, _), (room, root)| vec![(user.clone(), room.clone(), root.clone())],
            agrees: |((_, position), _), (_, row)| row.position == *position,
        }),
    ]
}
