# Atalaia's image: one binary on distroless Debian 12. Not root, no shell, a read-only root file system is enough.
#
#   docker build --tag atalaia .
#   docker buildx build --platform linux/amd64,linux/arm64 --sbom=true --provenance=mode=max --tag REGISTRY/atalaia:VERSION --push .
#
# Both architectures are compiled on the builder's own one, without emulation (deploy/image/cargo). Dependencies are a layer
# of their own: cargo-chef reduces the workspace to a recipe of its manifests, and as long as that is the same, a change of
# the sources compiles our crates only, on CI as well, where a cache mount would be empty each time.

ARG RUST_VERSION=1.95.0
# For a build that can be repeated, name it with its digest.
ARG BASE=gcr.io/distroless/cc-debian12:nonroot

FROM --platform=$BUILDPLATFORM rust:${RUST_VERSION}-bookworm AS tools
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /src
RUN cargo install --locked cargo-chef@0.1.78
ARG TARGETARCH
# hadolint ignore=DL3008
RUN case $TARGETARCH in amd64) gnu=x86-64 rust=x86_64 ;; arm64) gnu=aarch64 rust=aarch64 ;; esac \
    && rustup target add "$rust-unknown-linux-gnu" \
    && if [ "$TARGETARCH" != "$(dpkg --print-architecture)" ]; then \
        apt-get update \
        && apt-get install --yes --no-install-recommends "gcc-$gnu-linux-gnu" "g++-$gnu-linux-gnu" "libc6-dev-$TARGETARCH-cross" \
        && rm -rf /var/lib/apt/lists/*; \
    fi

FROM tools AS recipe
COPY . .
RUN cargo chef prepare --recipe-path /recipe.json

FROM tools AS builder
ARG TARGETARCH
COPY deploy/image/cargo deploy/image/cargo
COPY --from=recipe /recipe.json /recipe.json
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    deploy/image/cargo chef cook --locked --profile dist --bin atalaia --recipe-path /recipe.json
COPY . .
ARG REVISION=unknown
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    ATALAIA_COMMIT="$REVISION" deploy/image/cargo build --locked --profile dist --bin atalaia \
    && install -D -m 0755 target/*-unknown-linux-gnu/dist/atalaia /image/usr/local/bin/atalaia

# The builder's own distribution: the binary links its C and C++ libraries; librdkafka, OpenSSL and zstd are inside.
# hadolint ignore=DL3006
FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="atalaia" \
    org.opencontainers.image.description="Streaming anomaly detection for fleets of devices" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.base.name="gcr.io/distroless/cc-debian12:nonroot"
COPY --from=builder /image/ /
# Inside a container the network is the container's own; 127.0.0.1 would hide the probes from whoever asks.
ENV ATALAIA__TELEMETRY__METRICS=0.0.0.0:9464 \
    ATALAIA__TELEMETRY__LOG_FORMAT=json
EXPOSE 9464
# By number: Kubernetes cannot tell that a name is not root.
USER 65532:65532
STOPSIGNAL SIGTERM
# Orchestrators ask from outside; for Docker and compose the binary asks itself.
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s CMD ["/usr/local/bin/atalaia", "health"]
ENTRYPOINT ["/usr/local/bin/atalaia"]
CMD ["run", "-c", "/etc/atalaia/pipeline.toml"]
