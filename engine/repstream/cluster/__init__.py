"""Several engines, each on its own host, that write one acquisition; `cluster.Cluster` is the way in."""
