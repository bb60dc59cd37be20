//! A store that refuses: OpenSearch with its security plugin, by its own certificate authority; and Elasticsearch, which
//! says it in other words.

use serde_json::json;

use crate::checker::Checker;
use crate::generate::Generator;
use crate::harness::{Agent, Ground, now_ms, unique, wait_until};
use crate::store::Store;

const LINES: u64 = 3000;

fn credentials(user: &str, password: &str) -> String {
    format!("username = \"{user}\"\npassword = \"{password}\"\n")
}

fn ground(store: &Store, service: &str, more: &str) -> Ground {
    let ground = Ground::new();
    let source = format!("[source.{service}]\ntype = \"file\"\ninclude = [\"LOGS/*.log\"]\ntimezone = \"UTC\"\n\n");
    ground.configure(&format!("{source}{}{more}", store.output()));
    Generator::until(now_ms(), LINES, 1, "a").write_file(&ground.log("a.log"), 0..LINES).unwrap();
    ground
}

fn found(store: &Store, service: &str) -> Checker {
    let mut checker = Checker::new("a", LINES);
    store.each_page(service, &mut |text| checker.scan(text));
    checker
}

fn wait_until_held(agent: &Agent) {
    wait_until("the agent to say what is wrong", || agent.messages().contains("hint").then_some(()));
}

/// A wrong password that is mended in its file.
fn a_password_file_is_read_again(store: &Store, user: &str, password: &str) {
    let service = unique("file");
    let words = format!("username = \"{user}\"\npassword = {{ file = \"FOLDER/password\" }}\n");
    let ground = ground(store, &service, &words);
    std::fs::write(ground.path("password"), "wrong").unwrap();
    let agent = ground.start(&[]);
    wait_until_held(&agent);
    assert_eq!(found(store, &service).found(), 0);
    std::fs::write(ground.path("password"), format!("{password}\n")).unwrap();
    wait_until("all lines", || (found(store, &service).found() as u64 == LINES).then_some(()));
    agent.terminate().expect_code(0);
    found(store, &service).assert_each_once();
}

/// The index of one service is blocked while lines for three are written: two arrive whole, the third waits, and arrives
/// once when the block is lifted. Of three sources, one at least is read by the worker that has the blocked one.
fn a_blocked_index_holds_no_other(store: &Store, user: &str, password: &str) {
    let (blocked, free, other) = (unique("blocked"), unique("free"), unique("other"));
    let services = [&blocked, &free, &other];
    let ground = Ground::new();
    let source = |service: &&String| {
        format!("[source.{service}]\ntype = \"file\"\ninclude = [\"LOGS/{service}.*.log\"]\ntimezone = \"UTC\"\n\n")
    };
    let sources: String = services.iter().map(source).collect();
    ground.configure(&format!("{sources}{}{}", store.output(), credentials(user, password)));
    let generator = Generator::until(now_ms(), LINES, 1, "a");
    let write = |part: u32, numbers: std::ops::Range<u64>| {
        for service in services {
            generator.write_file(&ground.log(&format!("{service}.{part}.log")), numbers.clone()).unwrap();
        }
    };
    let has = |service: &str, count: u64| (found(store, service).found() as u64 == count).then_some(());
    write(1, 0..100);
    let agent = ground.start(&[]);
    for service in services {
        wait_until("the first lines", || has(service, 100));
    }
    let block = |is_on: bool| {
        let path = format!("/logferry-{blocked}-*/_settings");
        let (status, text) = store.call("PUT", &path, Some(&json!({ "index.blocks.write": is_on })));
        assert_eq!(status, 200, "{text}");
    };
    block(true);
    write(2, 100..LINES);
    wait_until("the lines of the free one", || has(&free, LINES));
    wait_until("the lines of the other one", || has(&other, LINES));
    wait_until_held(&agent);
    assert!(agent.messages().contains(&format!("cannot deliver to index logferry-{blocked}-")), "{}", agent.messages());
    assert_eq!(found(store, &blocked).found(), 100);
    block(false);
    wait_until("the lines of the blocked one", || has(&blocked, LINES));
    agent.terminate().expect_code(0);
    for service in services {
        found(store, service).assert_each_once();
    }
}

mod es7_secure {
    use super::*;

    fn store() -> Store {
        Store::from_environment("elasticsearch", "LOGFERRY_TEST_ES7_SECURE")
    }

    #[test]
    fn a_password_file_is_read_again() {
        super::a_password_file_is_read_again(&store(), "admin", "admin-pass");
    }

    #[test]
    fn a_blocked_index_holds_no_other() {
        super::a_blocked_index_holds_no_other(&store(), "admin", "admin-pass");
    }
}

mod opensearch_secure {
    use super::*;

    fn store() -> Store {
        Store::from_environment("opensearch", "LOGFERRY_TEST_OPENSEARCH_SECURE")
    }

    /// The user does not exist, then it does: the running agent goes on by itself, and nothing is lost.
    #[test]
    fn a_refused_password_holds_everything_until_it_is_right() {
        let (store, service, user) = (store(), unique("held"), unique("user"));
        let ground = ground(&store, &service, &credentials(&user, "right-Pass-7"));
        let agent = ground.start(&[]);
        wait_until_held(&agent);
        assert!(!agent.messages().contains("right-Pass-7"), "the password is in the log");
        assert_eq!(found(&store, &service).found(), 0);

        let account = json!({ "password": "right-Pass-7", "opendistro_security_roles": ["log_writer"] });
        let path = format!("/_plugins/_security/api/internalusers/{user}");
        let (status, text) = store.call("PUT", &path, Some(&account));
        assert!(status == 200 || status == 201, "{text}");
        wait_until("all lines", || (found(&store, &service).found() as u64 == LINES).then_some(()));
        agent.terminate().expect_code(0);
        found(&store, &service).assert_each_once();
    }

    #[test]
    fn a_password_file_is_read_again() {
        super::a_password_file_is_read_again(&store(), "agent", "agent-pass");
    }

    #[test]
    fn a_blocked_index_holds_no_other() {
        super::a_blocked_index_holds_no_other(&store(), "agent", "agent-pass");
    }

    /// Wrong in a run of its own: code 2 and nothing lost; then right.
    #[test]
    fn a_run_with_a_wrong_password_loses_nothing() {
        let (store, service) = (store(), unique("wrong"));
        let ground = ground(&store, &service, &credentials("agent", "wrong"));
        ground.start(&["--once", "--wait", "2s"]).wait().expect_code(2);
        let right = std::fs::read_to_string(ground.path("agent.toml")).unwrap().replace("\"wrong\"", "\"agent-pass\"");
        std::fs::write(ground.path("agent.toml"), right).unwrap();
        ground.run_once().expect_code(0);
        found(&store, &service).assert_each_once();
    }

    /// Without our certificate authority the connection is refused, and nothing is sent.
    #[test]
    fn an_unknown_certificate_is_not_trusted() {
        let (store, service) = (store(), unique("tls"));
        let ground = ground(&Store { ca: None, ..store.clone() }, &service, &credentials("agent", "agent-pass"));
        let finished = ground.start(&["--once", "--wait", "2s"]).wait().expect_code(2);
        assert!(finished.stderr.contains("certificate"), "{}", finished.stderr);
        assert_eq!(found(&store, &service).found(), 0);
    }
}
