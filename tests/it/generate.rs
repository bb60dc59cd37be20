//! Lines as common systems write them, each with a number of its own, the same for the same seed. Writes no files but
//! in [`Generator::write_file`]; knows nothing of the agent.
//!
//! Half of the lines are JSON records of web services, half are text: nginx, Apache, sshd, syslog (RFC 5424), Log4j
//! with stack traces, Python, Go, PostgreSQL, RabbitMQ. Some hold an e-mail address, a card number or a token, which
//! must not come out of the agent: [`SECRETS`].

use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::path::Path;

/// What no store may ever hold of the generated lines.
pub const SECRETS: [&str; 3] = ["@mail.example", "4111111111111111", "c2VjcmV0LXRva2Vu"];

/// Lines come in groups, so that a stack trace follows its first line.
const GROUP: u64 = 8;
/// Time between two lines.
const STEP_MS: i64 = 2;

/// Makes lines. The same fields make the same lines.
#[derive(Clone, Debug)]
pub struct Generator {
    /// What the random choices begin with.
    pub seed: u64,
    /// Tells the lines of one file from those of others: `seq-LABEL-0000017`. Letters and digits.
    pub label: String,
    /// Time of line 0, in ms since 1970.
    pub first_ms: i64,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Json,
    Nginx,
    Apache,
    Sshd,
    Syslog,
    Log4j,
    /// A line of a stack trace: has neither time nor level.
    Trace,
    Python,
    Go,
    Postgres,
    Rabbit,
}

const TEXTS: [Kind; 9] = [
    Kind::Nginx,
    Kind::Apache,
    Kind::Sshd,
    Kind::Syslog,
    Kind::Log4j,
    Kind::Python,
    Kind::Go,
    Kind::Postgres,
    Kind::Rabbit,
];

impl Generator {
    /// Lines whose last of `count` happens at `now_ms`.
    pub fn until(now_ms: i64, count: u64, seed: u64, label: &str) -> Self {
        let span = STEP_MS * i64::try_from(count).expect("a count of lines");
        Self { seed, label: label.to_owned(), first_ms: now_ms - span }
    }

    /// The kind of line `number`.
    pub fn kind(&self, number: u64) -> Kind {
        let dice = random(self.seed, number);
        let group = random(!self.seed, number / GROUP);
        if group.is_multiple_of(12) {
            return if number.is_multiple_of(GROUP) { Kind::Log4j } else { Kind::Trace };
        }
        if dice % 100 < 54 {
            return Kind::Json;
        }
        TEXTS[pick(dice >> 8, TEXTS.len())]
    }

    /// The level that the agent should find in line `number`, for those kinds that say one in plain words.
    pub fn level(&self, number: u64) -> Option<&'static str> {
        let dice = random(self.seed, number);
        match self.kind(number) {
            Kind::Log4j if number.is_multiple_of(GROUP) && self.begins_trace(number) => Some("ERROR"),
            Kind::Log4j | Kind::Python | Kind::Go => Some(LEVELS[pick(dice >> 16, LEVELS.len())]),
            _ => None,
        }
    }

    /// When line `number` happened, in ms since 1970.
    pub fn time_ms(&self, number: u64) -> i64 {
        self.first_ms + STEP_MS * i64::try_from(number).expect("a number of a line")
    }

    /// Appends line `number`, without an end of line.
    pub fn line(&self, number: u64, out: &mut String) {
        let facts = Facts::of(self, number);
        let _ = match facts.kind {
            Kind::Json => facts.json(out),
            Kind::Nginx | Kind::Apache | Kind::Sshd | Kind::Syslog => facts.server(out),
            Kind::Log4j | Kind::Trace | Kind::Python | Kind::Go => facts.application(out),
            Kind::Postgres | Kind::Rabbit => facts.store(out),
        };
    }

    /// Appends a JSON record with this number, whatever kind line `number` is of.
    #[allow(dead_code)]
    pub fn json(&self, number: u64, out: &mut String) {
        let _ = Facts { kind: Kind::Json, ..Facts::of(self, number) }.json(out);
    }

    /// Writes lines `numbers` to a new file, each ended by LF.
    pub fn write_file(&self, path: &Path, numbers: std::ops::Range<u64>) -> std::io::Result<()> {
        let mut file = BufWriter::new(std::fs::File::create(path)?);
        let mut line = String::new();
        for number in numbers {
            line.clear();
            self.line(number, &mut line);
            line.push('\n');
            file.write_all(line.as_bytes())?;
        }
        file.flush()
    }

    fn begins_trace(&self, number: u64) -> bool {
        random(!self.seed, number / GROUP).is_multiple_of(12)
    }
}

const LEVELS: [&str; 4] = ["DEBUG", "INFO", "WARNING", "ERROR"];
const PATHS: [&str; 6] = ["/cart", "/api/v1/orders", "/login", "/static/app.js", "/users", "/search"];
const COMMANDS: [&str; 5] = ["auth.local", "project.open", "task.update", "file.upload", "report.build"];

/// Everything that one line says.
struct Facts<'a> {
    kind: Kind,
    dice: u64,
    level: &'static str,
    label: &'a str,
    number: u64,
    at: Stamp,
}

impl<'a> Facts<'a> {
    fn of(generator: &'a Generator, number: u64) -> Self {
        Self {
            kind: generator.kind(number),
            dice: random(generator.seed, number),
            level: generator.level(number).unwrap_or("INFO"),
            label: &generator.label,
            number,
            at: Stamp::of_ms(generator.time_ms(number)),
        }
    }

    /// The record of seed document 003: what the services of one real product write.
    fn json(&self, out: &mut String) -> std::fmt::Result {
        let Self { dice, at, label, number, .. } = self;
        let (low, high) = (dice & 0xffff_ffff, dice >> 32);
        write!(
            out,
            "{{\"client_ip\":\"198.51.100.{}\",\"command_name\":\"{}\",\"auth_success\":{},\
             \"container_name\":\"/planr_ru-main-1\",\"request_source\":\"main\",\"time\":{},\
             \"trace_id\":\"{low:08x}-17c3-4e2d-9868-{high:012x}\",\"user_id\":\"3ce9d1d6-b169-498f-8d28-{high:012x}\",\
             \"user_login\":\"user.{}@mail.example\",\"big\":{},\"sequence\":\"seq-{label}-{number:07}\"",
            dice % 250,
            COMMANDS[pick(*dice, COMMANDS.len())],
            dice.is_multiple_of(3),
            at.ms,
            dice % 5000,
            9_007_199_254_740_993 + number,
        )?;
        if dice.is_multiple_of(10) {
            write!(
                out,
                ",\"duration\":{}.50,\"error\":\"не найдено \\u2014 \\\"{}\\\"\"",
                500 + dice % 900,
                dice % 77
            )?;
        }
        out.write_str("}")
    }

    fn server(&self, out: &mut String) -> std::fmt::Result {
        let Self { dice, at, label, number, .. } = self;
        let (path, host) = (PATHS[pick(*dice, PATHS.len())], dice % 250);
        match self.kind {
            Kind::Nginx => write!(
                out,
                "203.0.113.{host} - - [{} +0000] \"GET {path}?mail=user.{}@mail.example&n={} HTTP/1.1\" {} {} \"-\" \
                 \"Mozilla/5.0 (X11; Linux x86_64)\" seq-{label}-{number:07}",
                at.common_log(),
                dice % 900,
                dice % 31,
                [200, 200, 200, 304, 404, 500][pick(dice >> 3, 6)],
                dice % 90_000
            ),
            Kind::Apache => write!(
                out,
                "[{}] [core:info] [pid {}] [client 203.0.113.{host}:4242] AH00128: File does not exist: /var/www{path} \
                 seq-{label}-{number:07}",
                at.apache(),
                dice % 32_000
            ),
            Kind::Sshd => write!(
                out,
                "{} web1 sshd[{}]: Failed password for invalid user admin from 203.0.113.{host} port {} ssh2 \
                 seq-{label}-{number:07}",
                at.rfc3164(),
                dice % 32_000,
                1024 + dice % 60_000
            ),
            _ => write!(
                out,
                "<{}>1 {}Z web1 cron {} - - (root) CMD (run-parts /etc/cron.hourly) seq-{label}-{number:07}",
                13 + dice % 2,
                at.iso('T', '.'),
                dice % 32_000
            ),
        }
    }

    fn application(&self, out: &mut String) -> std::fmt::Result {
        let Self { dice, at, label, number, level, .. } = self;
        match self.kind {
            Kind::Log4j => write!(
                out,
                "{} {} [http-8080-exec-{}] com.shop.OrderService - order {} of user.{}@mail.example not stored \
                 seq-{label}-{number:07}",
                at.iso(' ', ','),
                if *level == "WARNING" { "WARN " } else { level },
                dice % 16,
                dice % 99_000,
                dice % 900
            ),
            Kind::Trace => {
                write!(
                    out,
                    "\tat com.shop.Order.step{}(Order.java:{}) ~[seq-{label}-{number:07}]",
                    dice % 9,
                    dice % 800
                )
            }
            Kind::Python => write!(
                out,
                "{} {level} app.payments: card 4111111111111111 charged {} times seq-{label}-{number:07}",
                at.iso(' ', ','),
                dice % 9
            ),
            _ => write!(
                out,
                "time={}Z level={} msg=\"request done\" path={} duration={}ms authorization=\"Bearer c2VjcmV0LXRva2Vu{}\" \
                 seq=seq-{label}-{number:07}",
                at.iso('T', '.'),
                if *level == "WARNING" { "WARN" } else { level },
                PATHS[pick(*dice, PATHS.len())],
                dice % 400,
                dice % 10
            ),
        }
    }

    fn store(&self, out: &mut String) -> std::fmt::Result {
        let Self { dice, at, label, number, .. } = self;
        match self.kind {
            Kind::Postgres => write!(
                out,
                "{} UTC [{}] LOG:  duration: {}.123 ms  statement: SELECT * FROM orders WHERE id = {} \
                 seq-{label}-{number:07}",
                at.iso(' ', '.'),
                dice % 32_000,
                dice % 900,
                dice % 99_000
            ),
            _ => write!(
                out,
                "{}456+00:00 [info] <0.{}.0> accepting AMQP connection (10.0.0.4:{} -> 10.0.0.9:5672) \
                 seq-{label}-{number:07}",
                at.iso(' ', '.'),
                dice % 9000,
                1024 + dice % 60_000
            ),
        }
    }
}

/// A moment in UTC, in the parts that log formats write.
struct Stamp {
    ms: i64,
    year: i64,
    month: usize,
    day: i64,
    weekday: usize,
    second_of_day: i64,
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

impl Stamp {
    /// By the method of <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>.
    fn of_ms(ms: i64) -> Self {
        let (days, second_of_day) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000) / 1000);
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        Self {
            ms,
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month: usize::try_from(month).expect("1 to 12"),
            day: day_of_year - (153 * march_month + 2) / 5 + 1,
            weekday: usize::try_from(days.rem_euclid(7)).expect("0 to 6"),
            second_of_day,
        }
    }

    fn clock(&self) -> String {
        let second = self.second_of_day;
        format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
    }

    fn iso(&self, between: char, point: char) -> String {
        let Self { year, month, day, ms, .. } = self;
        format!("{year:04}-{month:02}-{day:02}{between}{}{point}{:03}", self.clock(), ms.rem_euclid(1000))
    }

    fn common_log(&self) -> String {
        format!("{:02}/{}/{:04}:{}", self.day, MONTHS[self.month - 1], self.year, self.clock())
    }

    fn apache(&self) -> String {
        let (weekday, month) = (WEEKDAYS[self.weekday], MONTHS[self.month - 1]);
        format!(
            "{weekday} {month} {:02} {}.{:03}000 {:04}",
            self.day,
            self.clock(),
            self.ms.rem_euclid(1000),
            self.year
        )
    }

    fn rfc3164(&self) -> String {
        format!("{} {:2} {}", MONTHS[self.month - 1], self.day, self.clock())
    }
}

/// splitmix64 (Steele, Lea, Flood 2014): spreads neighbouring numbers over all 64 bits.
fn random(seed: u64, number: u64) -> u64 {
    let mut bits = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

fn pick(dice: u64, among: usize) -> usize {
    usize::try_from(dice % among as u64).expect("less than `among`")
}
