# The image plus Google's launcher of flex templates, which reads the template's parameters and starts the job.
ARG IMAGE
FROM gcr.io/dataflow-templates-base/python311-template-launcher-base:20240812-rc01 AS launcher

# hadolint ignore=DL3006
FROM ${IMAGE}
COPY --from=launcher /opt/google/dataflow/python_template_launcher /opt/google/dataflow/python_template_launcher
# No FLEX_TEMPLATE_PYTHON_REQUIREMENTS_FILE: it would be downloaded at each launch, which times out.
ENV FLEX_TEMPLATE_PYTHON_PY_FILE=/app/deploy/dataflow/main.py
ENTRYPOINT ["/opt/google/dataflow/python_template_launcher"]
