# Shared by tests/run and the engines' own scripts; sourced, never run.
# Each engine has a folder with two scripts: `get` fetches or builds it once a machine, `start` becomes the server.

LOKI_VERSION=3.7.8
ELASTICSEARCH_8=8.19.21
ELASTICSEARCH_7=7.17.29
OPENSEARCH_VERSION=2.19.4
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/logferry-tests

say() { printf 'tests: %s\n' "$*" >&2; }
fail() { printf 'tests: %s\n' "$1" >&2; [ $# -lt 2 ] || printf 'hint: %s\n' "$2" >&2; exit 1; }

# A port of 127.0.0.1 on which nothing listens, below those that the kernel gives to clients.
free_port() {
  local port
  for _ in $(seq 1 200); do
    port=$((20000 + RANDOM % 12000))
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then echo "$port"; return; fi
  done
  fail 'cannot find a free port on 127.0.0.1'
}

# make_once NAME COMMAND…: runs COMMAND with an empty folder as its last argument and keeps that as $CACHE/NAME.
# One machine's parallel runs wait for each other; a run that was cut off leaves nothing half made.
make_once() {
  local name=$1 partial; shift
  [ ! -e "$CACHE/$name" ] || return 0
  mkdir -p "$CACHE"
  exec 9>"$CACHE/.$name.lock"
  flock 9
  if [ ! -e "$CACHE/$name" ]; then
    partial=$(mktemp -d "$CACHE/.$name.XXXXXX")
    chmod 755 "$partial"
    if ! "$@" "$partial" 9>&-; then rm -rf "$partial"; fail "cannot make $name"; fi
    mv "$partial" "$CACHE/$name"
  fi
  exec 9>&-
}

# fetch_by_maven POM PROPERTY… FOLDER: unpacks what the pom names, and nothing else, into FOLDER. One at a time: Maven's
# own cache is not made for more.
fetch_by_maven() {
  local pom=$1 folder=${*: -1} log; shift
  log=$(mktemp)
  if ! flock "$CACHE/.maven.lock" mvn -q -B -f "$pom" generate-resources "-Ddist=$folder" "${@:1:$#-1}" >"$log" 2>&1; then
    tail -n 15 "$log" >&2; rm -f "$log"; return 1
  fi
  rm -rf "$log" "$folder/target"
}

# The Java to run servers with, and its major version.
java_home() { echo "${JAVA_HOME:-$(dirname "$(dirname "$(readlink -f "$(command -v java)")")")}"; }
java_major() { "$(java_home)/bin/java" -XshowSettings:properties -version 2>&1 | sed -n 's/ *java.specification.version = //p'; }

# The servers of Elastic's family refuse root: `drop` holds the words that make a command run as nobody.
drop_root() {
  drop=()
  [ "$(id -u)" = 0 ] || return 0
  chown -R 65534:65534 "$1"
  drop=(setpriv --reuid=65534 --regid=65534 --clear-groups)
}

# server_home NAME DATA: prints DATA.home, a copy of $CACHE/NAME that nobody may read; hard links where these can be made.
server_home() {
  local copy=$2.home
  if [ ! -d "$copy" ]; then cp -al "$CACHE/$1" "$copy" 2>/dev/null || { rm -rf "$copy"; cp -a "$CACHE/$1" "$copy"; }; fi
  echo "$copy"
}

# write_console_log FOLDER: both families read the same log4j2 settings.
write_console_log() {
  cat >"$1/log4j2.properties" <<'L'
status = error
appender.c.type = Console
appender.c.name = c
appender.c.layout.type = PatternLayout
appender.c.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %marker%m%n
rootLogger.level = info
rootLogger.appenderRef.c.ref = c
L
}

# write_certificates FOLDER: a certificate authority (ca.pem) and a node's key and certificate for 127.0.0.1.
write_certificates() (
  mkdir -p "$1"; cd "$1"
  [ ! -f node.pem ] || exit 0
  openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=test-ca -keyout ca.key -out ca.pem
  openssl req -newkey rsa:2048 -nodes -subj /CN=n1 -keyout node.key -out node.csr
  openssl x509 -req -in node.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -out node.pem \
    -extfile <(echo 'subjectAltName=DNS:localhost,IP:127.0.0.1')
) 2>/dev/null
