//! The REST API under /api/v1: thin handlers, DTOs, problem+json, OpenAPI.
