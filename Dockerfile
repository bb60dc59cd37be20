# One static binary in an empty image. `docker build -t logferry .` from a clone is enough.
#
#   docker run -d --name logferry \
#     -v /var/run/docker.sock:/var/run/docker.sock:ro -v logferry-state:/var/lib/logferry \
#     -e LOGFERRY_TYPE=elasticsearch -e LOGFERRY_URL=http://elasticsearch:9200 logferry
#
# Or with a configuration of your own: -v ./agent.toml:/etc/logferry/agent.toml:ro

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
# The dependencies alone first, so that a change of ours does not build them again.
RUN mkdir src && echo 'fn main() {}' > src/main.rs && echo '' > src/lib.rs && touch agent.toml.example \
 && RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --target x86_64-unknown-linux-gnu \
 && rm -r src
COPY src src
COPY agent.toml.example ./
RUN touch src/main.rs src/lib.rs \
 && RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --target x86_64-unknown-linux-gnu \
 && mkdir -p /image/etc/logferry /state/logferry \
 && cp target/x86_64-unknown-linux-gnu/release/logferry /image/logferry
COPY deploy/docker/agent.toml /image/etc/logferry/agent.toml

# The socket belongs to root and the group `docker`, whose number differs from host to host: run with
# `--user 65534:$(stat -c %g /var/run/docker.sock)` to be without root, as deploy/compose does.
FROM scratch
COPY --from=build /image /
# A named volume takes over the owner of the folder that it covers.
COPY --from=build --chown=65534:65534 /state /var/lib
VOLUME /var/lib/logferry
HEALTHCHECK --interval=30s --timeout=5s CMD ["/logferry", "health"]
ENTRYPOINT ["/logferry"]
CMD ["run"]
