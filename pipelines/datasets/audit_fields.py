from pipelines.datasets.keys import payload_codes  # noqa: F401
