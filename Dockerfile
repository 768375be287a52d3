# Two stages: one with compilers, one with nothing but the binary and its libraries. Needs BuildKit (`docker build` has it).
#
# Both images are pinned and raised by hand, the compiler to the version that the tests ran with. There is no rust-toolchain.toml: rustup
# would take it as an order to fetch that one version, also on a machine that has a newer one and no network. What the code asks for at least is
# `rust-version` in Cargo.toml.

FROM rust:1.95.0-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends libclang-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# The caches keep RocksDB and the other crates compiled when a line of ours has changed. They outlive the image, so cargo could take a file that is
# older than the last build, of another branch say, for one that it has compiled: what is ours is compiled anew. And they are not in the image: the
# binary is copied out.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    find src -name '*.rs' -exec touch {} + \
    && cargo build --release --locked --package plop \
    && install target/release/plop /usr/local/bin/plop

FROM debian:12.12-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libstdc++6 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin plop \
    && install -d -o plop -g plop /data
COPY --from=build /usr/local/bin/plop /usr/local/bin/plop
USER plop
WORKDIR /data
VOLUME /data
# Inside a container loopback reaches nobody. On these addresses the server starts with a name only: PLOP_SERVER__NAME, or in the file
# that PLOP_CONFIG names.
ENV PLOP_CLIENT__ADDRESSES='["0.0.0.0:8008"]' \
    PLOP_DATABASE__PATH=/data/database
EXPOSE 8008
STOPSIGNAL SIGTERM
# Asks whichever listener the same configuration names. Healthy also while the store is read-only: a restart does not make room on a disk.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["/usr/local/bin/plop", "health"]
ENTRYPOINT ["/usr/local/bin/plop"]
