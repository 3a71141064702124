"""Forms in which a trained network leaves beside its ONNX graph, one file each.

`--format` takes their names. Each adds one file to a bundle, which the manifest vouches for and
which is proven over a split as the graph is. What a format has, `_base.Format` says.
"""
