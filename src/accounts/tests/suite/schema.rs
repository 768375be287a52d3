use plop_accounts::schema::KEYSPACES;

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
";
    assert_eq!(plop_db::golden_table(KEYSPACES), expected);
}
