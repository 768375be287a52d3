//! What is on disks already.

use plop_accounts::email_address::EmailAddress;
use plop_accounts::schema::{
    AcceptedTerms, AcceptedTermsRow, AccessTokenRow, AccessTokens, AccountData, AccountDataChanges,
    AccountDataRow, AccountDataTotals, AccountDataTotalsRow, AccountEnds, DeactivationRow,
    DehydratedDeviceRow, DehydratedDevices, DeviceEnds, DeviceListChanges, DeviceLists, DeviceRow,
    DeviceTokenRow, DeviceTokens, Devices, DirectoryUpdates, EmailAddressRow, EmailAddresses, EmailOwners,
    Filters, Guests, KEYSPACES, LastSeen, LastSeenRow, LastSeenRowV1, ListedDevices, MemberUpdates,
    OpenIdTokenEnds, OpenIdTokenRow, OpenIdTokens, OpenIdTokensOfUser, Profiles, PusherOwners, PusherRow,
    Pushers, RefreshTokenRow, RefreshTokens, RegistrationTokenRow, RegistrationTokens,
    ThreadSubscriptionChanges, ThreadSubscriptionRow, ThreadSubscriptionTotals, ThreadSubscriptionTotalsRow,
    ThreadSubscriptions, ThreadWish, TokenKind, UserKind, UserRow, Users,
};
use plop_base::UnixMillis;
use plop_db::codec::{Tail, decode, encode};
use plop_db::{Batch, Keyspace, Position};
use ruma::{OwnedDeviceId, OwnedUserId, owned_device_id, owned_event_id, owned_room_id, owned_user_id};

/// Ids and names are permanent: a line may be added, never changed.
#[test]
fn keyspaces_are_permanent() {
    let expected = "\
60 profiles Scan
61 users Point
62 devices Scan
63 device_last_seen Scan
64 access_tokens Point
65 refresh_tokens Point
66 device_tokens Scan
67 registration_tokens Point
68 account_data Scan
69 account_data_changes Scan
70 filters Scan
71 member_updates Queue
72 account_data_totals Point
74 device_ends Queue
75 account_ends Queue
145 device_lists Point
146 device_list_changes Scan
147 listed_devices Point
165 dehydrated_devices Point
190 thread_subscriptions Scan
191 thread_subscription_changes Scan
192 thread_subscription_totals Point
193 accepted_terms Scan
194 email_addresses Scan
195 email_owners Point
196 pushers Scan
197 pusher_owners Scan
198 openid_tokens Point
199 openid_token_ends Queue
220 directory_updates Queue
270 openid_tokens_of_user Scan
280 guests Queue
";
    assert_eq!(plop_db::golden_table(KEYSPACES), expected);
}

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

fn alice() -> OwnedUserId {
    owned_user_id!("@a:b.c")
}

fn phone() -> OwnedDeviceId {
    owned_device_id!("D")
}

fn position() -> Position {
    Position::from_bytes([0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3])
}

/// What is on disks already. A difference here is a difference there.
#[test]
fn stored_rows_keep_their_bytes() {
    let mut rows = Batch::durable();
    put_user(&mut rows);
    put_device(&mut rows);
    put_tokens(&mut rows);
    put_pushers(&mut rows);
    put_account_data(&mut rows);
    put_thread_subscriptions(&mut rows);
    insta::assert_snapshot!(plop_db::golden_rows(KEYSPACES, &rows).expect("a row of each keyspace"));
}

fn put_user(rows: &mut Batch) {
    let regular = UserRow {
        kind: UserKind::Regular,
        created: NOW,
        password: Some("$argon2id$".to_owned()),
        admin: true,
        locked: false,
        suspended: true,
        deactivated: None,
    };
    rows.put::<Users>(&alice(), &regular);
    let deactivated = Some(DeactivationRow { at: NOW, erase: true });
    let guest = UserRow { kind: UserKind::Guest, password: None, deactivated, ..regular };
    rows.put::<Users>(&owned_user_id!("@g:b.c"), &guest);
    rows.put::<Profiles>(&(alice(), "displayname".to_owned()), &Tail(r#""Al""#.to_owned()));
    let accepted = AcceptedTermsRow { version: "1.0".to_owned(), at: NOW };
    rows.put::<AcceptedTerms>(&(alice(), "privacy_policy".to_owned()), &accepted);
    let address = EmailAddress::parse("a@b.c").expect("an address");
    rows.put::<EmailAddresses>(&(alice(), address.clone()), &EmailAddressRow { validated: NOW, added: NOW });
    rows.put::<EmailOwners>(&address, &alice());
    rows.put::<Filters>(&(alice(), "f1".to_owned()), &Tail("{}".to_owned()));
}

fn put_device(rows: &mut Batch) {
    let named =
        DeviceRow { since: position(), display_name: Some("Phone".to_owned()), created: NOW, generation: 2 };
    rows.put::<Devices>(&(alice(), phone()), &named);
    rows.put::<Devices>(&(alice(), owned_device_id!("E")), &DeviceRow { display_name: None, ..named });
    for user_agent in [None, Some("curl/7.31.0".to_owned())] {
        let seen = LastSeenRow { at: NOW, address: "192.0.2.1".to_owned(), user_agent };
        rows.put::<LastSeen>(&(alice(), phone()), &seen);
    }
    rows.put::<DeviceEnds>(&(position(), alice(), phone(), position()), &NOW);
    rows.put::<AccountEnds>(&(position(), alice()), &());
    rows.put::<Guests>(&(NOW, alice()), &());
    rows.put::<DeviceLists>(&alice(), &position());
    rows.put::<DeviceListChanges>(&(position(), alice()), &());
    rows.put::<ListedDevices>(&(alice(), phone()), &position());
    let dehydrated =
        DehydratedDeviceRow { device: phone(), since: position(), data: Tail("{\"x\":1}".to_owned()) };
    rows.put::<DehydratedDevices>(&alice(), &dehydrated);
}

#[test]
fn a_sighting_without_the_programs_name_is_still_read() {
    let old = encode(&LastSeenRowV1 { at: NOW, address: "192.0.2.1".to_owned() });
    let row = LastSeenRow { at: NOW, address: "192.0.2.1".to_owned(), user_agent: None };
    assert_eq!(decode::<LastSeenRow>(&old), Ok(row));
}

fn put_tokens(rows: &mut Batch) {
    let hash: <AccessTokens as Keyspace>::Key = decode(&[7; 32]).expect("a hash");
    for expires in [None, Some(NOW)] {
        let access = AccessTokenRow { user: alice(), device: phone(), generation: 1, expires };
        rows.put::<AccessTokens>(&hash, &access);
        let refresh = RefreshTokenRow { user: alice(), device: phone(), generation: 1, expires };
        rows.put::<RefreshTokens>(&hash, &refresh);
    }
    for kind in [TokenKind::Access, TokenKind::Refresh] {
        rows.put::<DeviceTokens>(&(alice(), phone(), hash), &DeviceTokenRow { kind, generation: 1 });
    }
    rows.put::<OpenIdTokens>(&hash, &OpenIdTokenRow { user: alice(), expires: NOW });
    rows.put::<OpenIdTokenEnds>(&(NOW, hash), &alice());
    rows.put::<OpenIdTokensOfUser>(&(alice(), NOW, hash), &());
    let once =
        RegistrationTokenRow { uses_allowed: Some(1), used: 0, expires: Some(NOW), made_at_start: false };
    rows.put::<RegistrationTokens>(&"once".to_owned(), &once);
    let any = RegistrationTokenRow { uses_allowed: None, used: 300, expires: None, made_at_start: true };
    rows.put::<RegistrationTokens>(&"any".to_owned(), &any);
}

fn put_pushers(rows: &mut Batch) {
    for (device, profile_tag) in [(Some(phone()), Some("work".to_owned())), (None, None)] {
        let row = PusherRow {
            since: position(),
            device,
            set: NOW,
            enabled: true,
            app_display_name: "App".to_owned(),
            device_display_name: "Phone".to_owned(),
            profile_tag,
            lang: "en".to_owned(),
            data: Tail(r#"{"url":"https://p/_matrix/push/v1/notify"}"#.to_owned()),
        };
        rows.put::<Pushers>(&(alice(), "org.app".to_owned(), "key".to_owned()), &row);
    }
    rows.put::<PusherOwners>(&("org.app".to_owned(), "key".to_owned(), alice()), &());
}

fn put_account_data(rows: &mut Batch) {
    rows.put::<MemberUpdates>(&alice(), &position());
    rows.put::<DirectoryUpdates>(&alice(), &position());
    for room in [None, Some(owned_room_id!("!r:b.c"))] {
        let subject = (room, "m.tag".to_owned());
        let row = AccountDataRow { position: position(), content: Tail("{}".to_owned()) };
        rows.put::<AccountData>(&(alice(), subject.0.clone(), subject.1.clone()), &row);
        rows.put::<AccountDataChanges>(&(alice(), position()), &subject);
    }
    rows.put::<AccountDataTotals>(&alice(), &AccountDataTotalsRow { rows: 2, bytes: 300 });
}

fn put_thread_subscriptions(rows: &mut Batch) {
    let thread = (owned_room_id!("!r:b.c"), owned_event_id!("$e"));
    for wish in [ThreadWish::Manual, ThreadWish::Automatic, ThreadWish::Unsubscribed] {
        let row = ThreadSubscriptionRow { position: position(), wish, bump_stamp: 300 };
        rows.put::<ThreadSubscriptions>(&(alice(), thread.0.clone(), thread.1.clone()), &row);
    }
    rows.put::<ThreadSubscriptionChanges>(&(alice(), position()), &thread);
    let totals = ThreadSubscriptionTotalsRow { rows: 2, stamp: 300, changed: position() };
    rows.put::<ThreadSubscriptionTotals>(&alice(), &totals);
}
