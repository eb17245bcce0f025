"""The OpenAPI document is true: questions made of it are answered as it says, whoever asks."""
