"""How each op of this project is written as operators of ONNX, one file a family."""
