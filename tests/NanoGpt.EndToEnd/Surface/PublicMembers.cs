// The public members that a program can call and the library declares itself. Left out: what a compiler writes for records,
// what implements or overrides a member declared elsewhere (calls name that one), what is abstract (who derives must write
// it), constructors without parameters, and those of records and exceptions, which the library makes.

using System.Reflection;
using System.Runtime.CompilerServices;

namespace NanoGpt.EndToEnd.Surface;

internal static class PublicMembers
{
    public const BindingFlags Declared = BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    public static IEnumerable<MemberInfo> Of(Assembly library) =>
        library.GetExportedTypes().Where(type => !type.IsEnum).SelectMany(type => type.GetMembers(Declared).Where(m => IsOfItsOwn(m, type)));

    /// <summary>The values of enums and the constants: their users' code holds the number, not the name.</summary>
    public static IEnumerable<FieldInfo> ConstantsOf(Assembly library) =>
        library.GetExportedTypes().SelectMany(type => type.GetFields(Declared).Where(field => field.IsLiteral));

    private static bool IsOfItsOwn(MemberInfo member, Type type) => member switch
    {
        MethodInfo method => !method.IsSpecialName && IsWritten(method) && IsFirst(method, type),
        ConstructorInfo constructor => IsWritten(constructor) && constructor.GetParameters().Length > 0 && !typeof(Exception).IsAssignableFrom(type) && type.GetMethod("<Clone>$") is null && !type.IsValueType,
        PropertyInfo property => property.Name != "EqualityContract" && IsFirst(property.GetMethod ?? property.SetMethod!, type),
        FieldInfo field => !field.IsLiteral,
        _ => false, // nested types speak for themselves
    };

    private static bool IsWritten(MemberInfo member) =>
        member.Name is not ("Deconstruct" or "Equals" or "GetHashCode" or "ToString") && !member.IsDefined(typeof(CompilerGeneratedAttribute));

    private static bool IsFirst(MethodInfo method, Type type) =>
        !method.IsAbstract && method.GetBaseDefinition().DeclaringType == type && (type.IsInterface || !type.GetInterfaces()
            .Any(implemented => type.GetInterfaceMap(implemented).TargetMethods.Contains(method)));
}
