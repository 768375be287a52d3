# Two stages: one with compilers, one with nothing but the binary and its libraries.

FROM rust:1-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends libclang-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package plop

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl libstdc++6 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin plop \
    && install -d -o plop -g plop /data
COPY --from=build /src/target/release/plop /usr/local/bin/plop
USER plop
WORKDIR /data
VOLUME /data
# Inside a container loopback reaches nobody.
ENV PLOP_CLIENT__ADDRESSES='["0.0.0.0:8008"]' \
    PLOP_DATABASE__PATH=/data/database
EXPOSE 8008
STOPSIGNAL SIGTERM
# 200 also while the store is read-only: a restart does not make room on a disk.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD curl --fail --silent --output /dev/null http://127.0.0.1:8008/health
ENTRYPOINT ["/usr/local/bin/plop"]
