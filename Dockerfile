# Three stages: build the binary, an image that holds it and nothing else, and that image with a probe for compose.
#
#   docker build --tag atalaia .                  the image to run: distroless, not root, no shell
#   docker build --target local --tag atalaia .   for docker-compose.yml, whose health checks run inside the container

FROM rust:1.95.0-bookworm AS builder
WORKDIR /src
COPY . .
# The caches live outside the layers; the binary is copied out of the one that is not kept.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --profile dist --bin atalaia \
    && cp target/dist/atalaia /atalaia

# Debian 12, as the builder: the binary links glibc only; librdkafka, OpenSSL and zstd are in it.
FROM gcr.io/distroless/cc-debian12:nonroot AS base
COPY --from=builder /atalaia /usr/local/bin/atalaia
# Inside a container the network is the container's own; 127.0.0.1 would hide the probes from whoever asks.
ENV ATALAIA__TELEMETRY__METRICS=0.0.0.0:9464 \
    ATALAIA__TELEMETRY__LOG_FORMAT=json
EXPOSE 9464
USER nonroot
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/atalaia"]
CMD ["run", "-c", "/etc/atalaia/pipeline.toml"]

# Orchestrators ask /livez and /readyz from outside; compose asks from inside, which takes a program to ask with.
# Under this name busybox is wget and nothing else.
FROM base AS local
COPY --from=busybox:1.37.0-musl /bin/busybox /usr/local/bin/wget
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s \
    CMD ["/usr/local/bin/wget", "-q", "-O", "/dev/null", "http://127.0.0.1:9464/livez"]

FROM base AS release
