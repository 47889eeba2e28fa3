// Draws a page's field with its WGSL: what an engine on WebGPU does with the files of the export.
async ({ wgsl, pose, intrinsics, width, height }) => {
  const { scene } = lightField.renderer;
  const device = await (await navigator.gpu.requestAdapter()).requestDevice();
  const { layout } = scene;
  const volume = (size, format, bytes, data) => {
    const texture = device.createTexture({ size, format, dimension: "3d", usage: 6 });
    device.queue.writeTexture({ texture }, data, { bytesPerRow: bytes * size[0], rowsPerImage: size[1] }, size);
    return texture.createView();
  };
  const uniforms = (floats, whole = []) => {
    const buffer = device.createBuffer({ size: 4 * floats.length, usage: 72 });
    const data = new Float32Array(floats);
    for (const [place, value] of whole) new Uint32Array(data.buffer)[place] = value;
    device.queue.writeBuffer(buffer, 0, data);
    return { buffer };
  };
  const column = (i) => [pose[i], pose[4 + i], pose[8 + i], 0];
  const blocks = layout.blocks ?? { count: [1, 1, 1], index: new Uint8Array(4) };
  const resources = [
    uniforms([...column(0), ...column(1), ...column(2), ...column(3), ...intrinsics]),
    uniforms([...layout.size, 0, ...layout.origin, 0], [[3, layout.blocks ? 1 : 0]]),
    device.createSampler({ magFilter: "linear", minFilter: "linear" }),
    volume(scene.cells, "r8uint", 1, scene.distances),
    volume(blocks.count, "rgba8uint", 4, blocks.index),
    volume(scene.cells, "rg32uint", 8, scene.occupied),
    ...scene.values.map((texels) => volume(layout.size, "rgba8unorm", 4, texels)),
  ];
  const module = device.createShaderModule({ code: wgsl });
  const errors = (await module.getCompilationInfo()).messages.filter(({ type }) => type === "error");
  if (errors.length) throw new Error(errors.map(({ lineNum, message }) => `${lineNum}: ${message}`).join("; "));
  const pipeline = device.createRenderPipeline({
    layout: "auto",
    vertex: { module, entryPoint: "vertex" },
    fragment: { module, entryPoint: "fragment", targets: [{ format: "rgba8unorm" }] },
  });
  const entries = resources.map((resource, binding) => ({ binding, resource }));
  const target = device.createTexture({ size: [width, height], format: "rgba8unorm", usage: 17 });
  const bytesPerRow = Math.ceil((4 * width) / 256) * 256;
  const buffer = device.createBuffer({ size: bytesPerRow * height, usage: 9 });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginRenderPass({ colorAttachments: [{ view: target.createView(), loadOp: "clear", storeOp: "store" }] });
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.draw(3);
  pass.end();
  encoder.copyTextureToBuffer({ texture: target }, { buffer, bytesPerRow }, [width, height]);
  device.queue.submit([encoder.finish()]);
  await buffer.mapAsync(1);
  const rows = new Uint8Array(buffer.getMappedRange());
  return Array.from({ length: height }, (_, y) => Array.from(rows.subarray(y * bytesPerRow, y * bytesPerRow + 4 * width))).flat();
};
