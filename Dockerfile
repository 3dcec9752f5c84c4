# One image for every node: `docker build -t subrosa .`, then `docker run -v subrosa:/data -p 127.0.0.1:8000:8000 subrosa`.
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/subrosa
ENV PATH=/opt/subrosa/bin:$PATH
WORKDIR /src
# The libraries first: they change less often than the code, and their layer is kept.
COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY server server
COPY client_demo client_demo
RUN pip install --no-deps --no-build-isolation . \
    && pip uninstall --yes setuptools pip

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin subrosa \
    && install --directory --owner=subrosa --group=subrosa --mode=0700 /data
COPY --from=build /opt/subrosa /opt/subrosa
ENV PATH=/opt/subrosa/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER subrosa
WORKDIR /data
VOLUME /data
EXPOSE 8000
# Draining: not ready, sessions told to reconnect elsewhere, writes finished, gone within 10 s.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["subrosa"]
CMD ["serve", "--host", "0.0.0.0", "--data", "/data"]
