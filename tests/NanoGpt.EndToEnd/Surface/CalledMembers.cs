// Which members of the library a compiled program calls: its table of references to other assemblies names each once.

using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace NanoGpt.EndToEnd.Surface;

internal static class CalledMembers
{
    /// <summary>As <c>NanoGpt.GPT.Generate</c>; an accessor as <c>NanoGpt.GPT.get_Config</c>, a constructor as <c>NanoGpt.GPT..ctor</c>.</summary>
    public static IEnumerable<string> In(string assemblyFile)
    {
        using var image = new PEReader(File.OpenRead(assemblyFile));
        var metadata = image.GetMetadataReader();
        return [.. metadata.MemberReferences.Select(metadata.GetMemberReference)
            .Select(reference => (Type: TypeName(metadata, reference.Parent), Name: metadata.GetString(reference.Name)))
            .Where(reference => reference.Type is not null).Select(reference => $"{reference.Type}.{reference.Name}")];
    }

    private static string? TypeName(MetadataReader metadata, EntityHandle handle) => handle.Kind switch
    {
        HandleKind.TypeReference => TypeName(metadata, metadata.GetTypeReference((TypeReferenceHandle)handle)),
        HandleKind.TypeSpecification => GenericTypeName(metadata, metadata.GetTypeSpecification((TypeSpecificationHandle)handle)),
        _ => null,
    };

    private static string TypeName(MetadataReader metadata, TypeReference type)
    {
        var outer = type.ResolutionScope.Kind == HandleKind.TypeReference ? TypeName(metadata, type.ResolutionScope) + "+" : metadata.GetString(type.Namespace) + ".";
        return outer + metadata.GetString(type.Name);
    }

    // A generic type with its arguments: ECMA-335 II.23.2.14, GENERICINST, then class or value type, then the type's token.
    private static string? GenericTypeName(MetadataReader metadata, TypeSpecification type)
    {
        var signature = metadata.GetBlobReader(type.Signature);
        if (signature.ReadSignatureTypeCode() != SignatureTypeCode.GenericTypeInstance) return null;
        signature.ReadCompressedInteger();
        return TypeName(metadata, signature.ReadTypeHandle());
    }
}
