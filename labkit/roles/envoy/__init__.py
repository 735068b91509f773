"""What Envoy does byte for byte; a reader of the rest may skip it."""
