//! Addresses of machines.

mod address;
mod mac;

use super::{Detector, Finder, Group, Seen};

pub(super) static ROWS: &[Detector] = &[
    Detector {
        name: "ipv4",
        tag: "[ipv4]",
        group: Group::Network,
        default: false,
        proof: "four numbers up to 255",
        source: "RFC 791",
        finder: Finder::Own { seen: &[Seen::Pass(address::seek_ipv4)], find: address::find_ipv4 },
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
        finder: Finder::Own { seen: &[Seen::Pass(address::seek_ipv6)], find: address::find_ipv6 },
        masked: &[
            ("from [2001:db8::1]:443", "from [[ipv6]]:443"),
            ("{addr:2001:db8:1:2:3:4:5:6}", "{addr:[ipv6]}"),
            ("::ffff:1.2.3.4 and fe80::1%eth0", "[ipv6] and [ipv6]%eth0"),
        ],
        spared: &["12:34:56", "std::fmt", "a::b", "00:1b:44:11:3a", "::"],
    },
    Detector {
        name: "mac",
        tag: "[mac]",
        group: Group::Network,
        default: false,
        proof: "six bytes in hexadecimal with one kind of separator, or three groups of four digits with dots",
        source: "IEEE 802, clause 8",
        finder: Finder::Own { seen: &[Seen::Pass(mac::seek)], find: mac::find },
        masked: &[
            ("from 00:1b:44:11:3a:b7, up", "from [mac], up"),
            ("HW=00-1B-44-11-3A-B7", "HW=[mac]"),
            ("port 001b.4411.3ab7.", "port [mac]."),
        ],
        spared: &[
            "12:34:56",
            "2025-06-05 12:34:56",
            "00:1b:44:11:3a",
            "00:1b:44:11:3a:b7:00",
            "00:1b:44:11:3a:bg",
            "00-1b:44-11:3a-b7",
            "6fa459ea-ee8a-3ca4-894e-db77e160355e",
        ],
    },
];
