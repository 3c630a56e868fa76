# Marina's image: one for all processes (docker-compose.yml names their commands).

# helm, from the Go module that also the tests' helm is built from, pinned by its go.sum
FROM golang:1.26-bookworm AS helm
WORKDIR /src
COPY localkube/gotools/v1.36/ ./
RUN CGO_ENABLED=0 GOFLAGS=-mod=readonly go build -trimpath \
    -ldflags "-s -w -X helm.sh/helm/v4/internal/version.version=v4.3.1" -o /out/helm helm.sh/helm/v4/cmd/helm

FROM python:3.11-slim-bookworm AS packages
COPY requirements.txt ./
RUN python -m venv /opt/marina \
    && /opt/marina/bin/pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: -r requirements.txt

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent marina \
    && install -d -o marina -g marina -m 0700 /var/lib/marina /var/lib/marina-exports
COPY --from=helm /out/helm /usr/local/bin/helm
COPY --from=packages /opt/marina /opt/marina
ENV PATH=/opt/marina/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DJANGO_SETTINGS_MODULE=controlplane.settings \
    MARINA_STATE_FOLDER=/var/lib/marina \
    EXPORT_FOLDER=/var/lib/marina-exports \
    STATIC_ROOT=/srv/static \
    HELM_BINARY=/usr/local/bin/helm
WORKDIR /srv/marina
COPY manage.py ./
COPY accounts accounts
COPY clusters clusters
COPY provisioning provisioning
COPY gateway gateway
COPY controlplane controlplane
# the key is for this one command; the image holds none
RUN DJANGO_SECRET_KEY=not-a-secret python manage.py collectstatic --no-input && python -m compileall -q .
USER 10001:10001
EXPOSE 8000 8443
CMD ["gunicorn", "controlplane.wsgi", "--bind", "0.0.0.0:8000", "--workers", "2", "--threads", "8", "--keep-alive", "75", "--no-control-socket"]
