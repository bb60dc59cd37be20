//! Addresses of machines.

mod address;

use super::{Detector, Finder, Group};

pub(super) static ROWS: &[Detector] = &[
    Detector {
        name: "ipv4",
        tag: "[ipv4]",
        group: Group::Network,
        default: false,
        proof: "four numbers up to 255",
        source: "RFC 791",
        finder: Finder::Own { seek: address::seek_ipv4, find: address::find_ipv4 },
        masked: &[("from 10.0.0.1:8080, 192.168.1.255.", "from [ipv4]:8080, [ipv4].")],
        spared: &["v1.2.3.4", "1.2.3.4.5", "1.2.3", "256.1.1.1", "10.0.0.1x", "Version=4.0.0.0", "amd64~~6.1.1.0"],
    },
    Detector {
        name: "ipv6",
        tag: "[ipv6]",
        group: Group::Network,
        default: false,
        proof: "parses as one",
        source: "RFC 4291",
        finder: Finder::Own { seek: address::seek_ipv6, find: address::find_ipv6 },
        masked: &[
            ("from [2001:db8::1]:443", "from [[ipv6]]:443"),
            ("{addr:2001:db8:1:2:3:4:5:6}", "{addr:[ipv6]}"),
            ("::ffff:1.2.3.4 and fe80::1%eth0", "[ipv6] and [ipv6]%eth0"),
        ],
        spared: &["12:34:56", "std::fmt", "a::b", "00:1b:44:11:3a:b7", "::"],
    },
];
