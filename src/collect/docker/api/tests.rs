//! Addresses and times as the engine wants them. The rest is tested on a real engine.

use super::*;

#[test]
fn an_address_is_a_socket_or_a_host_with_or_without_tls() {
    let with_ca = Config { tls_ca: Some("/nowhere/ca.pem".to_owned()), ..Config::default() };
    let plain = Config::default();
    for (host, config, told) in [
        ("unix:///run/x.sock", &plain, "unix /run/x.sock"),
        ("tcp://127.0.0.1:1234", &plain, "tcp 127.0.0.1:1234"),
        ("tcp://[::1]", &plain, "tcp [::1]:2375"),
        ("http://engine/", &with_ca, "tcp engine:2375"),
        ("https://engine", &plain, "tls engine:2376"),
        ("tcp://engine:99", &with_ca, "cannot use /nowhere/ca.pem: "),
        ("unix://", &plain, "cannot use \"unix://\" as the engine's address: the path is missing"),
        ("/run/x.sock", &plain, "cannot use \"/run/x.sock\" as the engine's address: write unix:///path or"),
        ("ssh://engine", &plain, "cannot use \"ssh://engine\" as the engine's address: it begins with none of"),
    ] {
        let found = match address(host, config, None) {
            Ok(Address::Unix(path)) => format!("unix {}", path.display()),
            Ok(Address::Tcp(authority)) => format!("tcp {authority}"),
            Ok(Address::Tls { authority, .. }) => format!("tls {authority}"),
            Err(error) => error.to_string(),
        };
        assert!(found.starts_with(told), "{host}: {found}");
    }
}

#[test]
fn times_have_nine_digits_below_the_second() {
    assert_eq!(seconds(1_795_355_249_000_000_007), "1795355249.000000007");
    assert_eq!(seconds(0), "0.000000000");
}
