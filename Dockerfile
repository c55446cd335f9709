# syntax=docker/dockerfile:1
# The gateway as an image: `docker build -t spillgate .`; docs/deploy/docker.md has the rest.
#
# Python 3.13: the newest version that the project is tested to install on, and for which every
# locked dependency has a wheel. The digest is of 2026-08-05, as Docker's own list of official images
# (docker-library/repo-info) has it. Base images are mended every few weeks: take the one of today by
#   docker buildx imagetools inspect python:3.13-slim
#   docker build --build-arg PYTHON_IMAGE=python:3.13-slim@sha256:... .
ARG PYTHON_IMAGE=python:3.13-slim@sha256:9662417aace5ae7b8e2609cce472b72a8958e134ba372808abe9cc1a0c0125e6

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /build

# Without pip inside: nothing is installed into a running container. Byte code is written here,
# because nothing can write it where the root is read-only.
RUN python -m venv --without-pip /opt/spillgate
COPY requirements/image.txt requirements/build.txt requirements/
RUN python -m pip --python /opt/spillgate/bin/python install \
        --require-hashes --no-deps --only-binary :all: --compile -r requirements/image.txt \
    && python -m pip install --require-hashes --no-deps --only-binary :all: \
        -r requirements/build.txt

COPY pyproject.toml LICENSE NOTICE ./
COPY app app
RUN python -m pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && python -m pip --python /opt/spillgate/bin/python install --no-deps --compile dist/*.whl

FROM ${PYTHON_IMAGE} AS gateway
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="Spillgate" \
      org.opencontainers.image.description="An OpenAI-compatible gateway for Azure OpenAI" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"

# What it writes is in /var/lib/spillgate alone: the ledger's archive, and settlements that wait for
# Redis. A new named volume takes the directory's owner over.
RUN python -m pip uninstall --yes --quiet --root-user-action=ignore pip \
    && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/spillgate \
    && install --directory --mode=0755 /etc/spillgate
COPY --from=build /opt/spillgate /opt/spillgate
COPY LICENSE NOTICE /usr/share/doc/spillgate/

ENV PATH=/opt/spillgate/bin:$PATH \
    HOME=/var/lib/spillgate \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A number: Kubernetes can see that it is not root.
USER 10001:10001
WORKDIR /var/lib/spillgate
VOLUME ["/var/lib/spillgate"]
EXPOSE 8080 8081

# The admin listener: it answers while the data plane drains. Neither a shell nor curl is needed, and
# the environment's proxies are not asked.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/opt/spillgate/bin/python", "-I", "-c", "import http.client, sys; c = http.client.HTTPConnection('127.0.0.1', 8081, timeout=4); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]

# The program itself is the first process, and gets TERM: it drains (`timeouts.drain_s`).
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/spillgate/bin/spillgate"]
CMD ["serve", "--config", "/etc/spillgate/spillgate.yaml"]
