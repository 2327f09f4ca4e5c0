"""Camera geometry: poses, lenses, rigs that move a camera, and the rays that steer the network.

A pose is camera-to-world (``c2w``), a 4x4 matrix ``[R t; 0 1]``: a point ``p`` of the camera is
``R p + t`` in the world. Axes are OpenCV's, for the camera and the world alike: x right, y DOWN,
z forward. Everything is float64 numpy until ``rays.py`` casts, once, to float32 tensors.
"""
