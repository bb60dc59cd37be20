//! Names, labels and choices.

use super::*;

fn facts(name: &str, labels: &[(&str, &str)]) -> Facts {
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Facts { id: "a".repeat(64), name: name.to_owned(), image: "nginx:1.27".to_owned(), labels, ..Facts::default() }
}

#[test]
fn a_service_is_named_by_label_else_by_the_name_without_its_number() {
    let swarm = ("com.docker.swarm.service.name", "s_web");
    let compose = ("com.docker.compose.service", "web");
    for (name, labels, service) in [
        ("x", &[swarm, compose, ("logferry.service", "shop")][..], "shop"),
        ("x", &[swarm, compose], "web"),
        ("x", &[swarm], "s_web"),
        ("x-1", &[("logferry.service", "")], "x"),
        ("shop-web-12", &[], "shop-web"),
        ("shop_web_1", &[], "shop_web"),
        ("web.1.k2j3h4g5", &[], "web"),
        ("a.b.web.3.k2j3h4g5", &[], "a.b.web"),
        ("api.v1.x", &[], "api.v1.x"),
        ("web-", &[], "web-"),
        ("-1", &[], "-1"),
        ("quirky_hopper", &[], "quirky_hopper"),
        ("", &[], ""),
    ] {
        assert_eq!(facts(name, labels).service_name(), service, "{name} {labels:?}");
    }
}

#[test]
fn containers_are_chosen_by_name_id_label_and_image() {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let config = |containers: &[&str], exclude: &[&str], labels: &[&str], images: &[&str]| Config {
        containers: words(containers),
        exclude_containers: words(exclude),
        labels: words(labels),
        images: words(images),
        include_self: true,
        ..Config::default()
    };
    let web = facts("web-1", &[("tier", "front"), ("on", "")]);
    for (config, is_wanted) in [
        (config(&[], &[], &[], &[]), true),
        (config(&["web-*"], &[], &[], &[]), true),
        (config(&["aaaaaa*"], &[], &[], &[]), true),
        (config(&["db", "web"], &[], &[], &[]), false),
        (config(&["*"], &["web-?"], &[], &[]), false),
        (config(&[], &[], &["tier=front", "on"], &[]), true),
        (config(&[], &[], &["tier=back"], &[]), false),
        (config(&[], &[], &["on=", "off"], &[]), false),
        (config(&[], &[], &[], &["nginx:*"]), true),
        (config(&[], &[], &[], &["httpd*", "ngin"]), false),
    ] {
        assert_eq!(Selection::new(&config).unwrap().wants(&web), is_wanted, "{config:?}");
    }
    let all = Selection::new(&config(&[], &[], &[], &[])).unwrap();
    assert!(!all.wants(&facts("web", &[(ENABLE_LABEL, "False")])));
    assert!(all.wants(&facts("web", &[(ENABLE_LABEL, "true")])));
}

#[test]
fn sizes_are_read_as_the_engine_reads_them() {
    for (text, bytes) in [
        ("200k", Some(200_000)),
        ("10m", Some(10_000_000)),
        ("10MB", Some(10_000_000)),
        ("1 GB", Some(1_000_000_000)),
        ("512", Some(512)),
        ("512b", Some(512)),
        ("-1", None),
        ("1x", None),
        ("", None),
    ] {
        assert_eq!(size(text), bytes, "{text}");
    }
}

#[test]
fn the_own_container_is_found_by_cgroup_mounts_or_host_name() {
    let id = "4c01db0b339c4b2f0f2b1c2f7f8f3a0f5d8a3a0f9b6a7f1e2d3c4b5a69788796";
    let mount = format!("1 2 0:1 /var/lib/docker/containers/{id}/hostname /etc/hostname rw - ext4 /dev/sda1 rw");
    let layer = format!("1 2 0:1 / / rw - overlay overlay rw,upperdir=/var/lib/docker/overlay2/{id}/diff");
    let foreign = format!("1 2 0:1 / /var/lib/docker/containers/{id}/mounts/shm rw - tmpfs shm rw");
    for (cgroup, mounts, host_name, own) in [
        (format!("12:cpu:/docker/{id}\n"), "", "", Some(id)),
        (format!("0::/system.slice/docker-{id}.scope\n"), "", "", Some(id)),
        ("0::/\n".to_owned(), mount.as_str(), "", Some(id)),
        ("0::/\n".to_owned(), layer.as_str(), "", None),
        ("0::/\n".to_owned(), foreign.as_str(), "my-host", None),
        ("0::/\n".to_owned(), "", "4c01db0b339c", Some("4c01db0b339c")),
        ("0::/user.slice\n".to_owned(), "", "my-host", None),
    ] {
        assert_eq!(own_id(&cgroup, mounts, host_name).as_deref(), own, "{cgroup} {mounts} {host_name}");
    }
}
