"""HTTP/1.1 between two programs: fields, heads, bodies; no policy of anybody's."""
