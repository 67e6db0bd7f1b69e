/** Photos before they leave the device: large ones scaled down, all others byte for byte. */

const LONGEST = 2048; // pixels; more costs minutes on a bad network and tells the model nothing
const THUMBNAIL = 480;
const QUALITY = 0.9;
const FOREIGN = /^image\/(hei[cf]|avif)/; // what some browsers decode and the server does not

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
 * A blob as it is kept: Safari keeps no blobs in a private window, and elsewhere sometimes does not
 * give them back.
 */
export const packed = async (blob) =>
  blob && { type: blob.type, bytes: await blob.arrayBuffer() };

/** The blob that was packed; photos of before this was done lie there as they are. */
export function unpacked(kept) {
  if (!kept || kept instanceof Blob) return kept ?? null;
  return new Blob([kept.bytes], { type: kept.type });
}

/** The file's picture, turned upright as the camera meant it; `close()` lets it go. */
async function decoded(file) {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    // Perhaps only the option is unknown (Chromium before 112, Safari before 16): an <img> is upright.
    const picture = new Image();
    picture.src = URL.createObjectURL(file);
    picture.close = () => URL.revokeObjectURL(picture.src);
    try {
      await picture.decode();
    } catch (error) {
      picture.close();
      throw error;
    }
    return picture;
  }
}

/**
 * What is sent of a file, and a small picture of it. A file that this browser cannot decode or draw
 * is sent as it is: the server has the last word on formats.
 */
export async function prepare(file, maxBytes = Infinity) {
  let picture;
  try {
    picture = await decoded(file);
  } catch {
    return { blob: file, thumb: null };
  }
  try {
    const large = Math.max(picture.width, picture.height) > LONGEST || file.size > maxBytes;
    // The canvas holds no metadata beside the picture.
    const blob = large || FOREIGN.test(file.type) ? await drawn(picture, LONGEST) : file;
    return { blob, thumb: await drawn(picture, THUMBNAIL) };
  } catch {
    return { blob: file, thumb: null }; // no memory for a canvas, say
  } finally {
    picture.close();
  }
}
