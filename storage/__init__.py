"""What the service knows and keeps: records, repositories, the catalogue of jobs, the outbox."""
