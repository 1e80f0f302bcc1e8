# pipework for hosts that install nothing (docs/installing.md):
#     make deb && docker build --tag pipework .
ARG BASE=debian:12-slim
FROM $BASE
COPY dist/pipework_*_all.deb /tmp/
RUN apt-get update \
    && apt-get install --yes --no-install-recommends /tmp/pipework_*_all.deb \
        iproute2 iptables isc-dhcp-client iw nftables openvswitch-switch udhcpc \
    && rm -rf /tmp/pipework_*_all.deb /var/lib/apt/lists/*
ENTRYPOINT ["pipework"]
