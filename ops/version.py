"""The version of this release, as answers, metrics and the OpenAPI document tell it."""

VERSION = "0.1.0"
