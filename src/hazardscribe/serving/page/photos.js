/** Photos before they leave the device: large ones scaled down, all others byte for byte. */

export const LONGEST = 2048; // pixels; more costs minutes on a bad network and tells the model nothing
const THUMBNAIL = 480;
const QUALITY = 0.9;

/** Whether a file calls itself a photo. HEIC files come without a type in some browsers. */
export function looksLikePhoto(file) {
  return (
    file.type.startsWith("image/") || /\.(jpe?g|png|webp|bmp|gif|tiff?|hei[cf])$/i.test(file.name)
  );
}

async function drawn(picture, longest) {
  const scale = Math.min(1, longest / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; // JPEG knows no transparency
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, refuse) => {
    const got = (blob) => (blob ? resolve(blob) : refuse(new Error("the canvas gave no picture")));
    canvas.toBlob(got, "image/jpeg", QUALITY);
  });
}

/**
 * What is sent of a file, and a small picture of it. A file that this browser cannot decode or draw
 * is sent as it is: the server has the last word on formats.
 */
export async function prepare(file, maxBytes = Infinity) {
  let picture;
  try {
    // Turned upright as the camera meant it; the canvas then holds no other metadata.
    picture = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return { blob: file, thumb: null };
  }
  try {
    const large = Math.max(picture.width, picture.height) > LONGEST || file.size > maxBytes;
    const blob = large ? await drawn(picture, LONGEST) : file;
    return { blob, thumb: await drawn(picture, THUMBNAIL) };
  } catch {
    return { blob: file, thumb: null }; // no memory for a canvas, say
  } finally {
    picture.close();
  }
}
